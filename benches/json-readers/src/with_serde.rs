//! Borrowed records for the three readers that speak serde.

use std::borrow::Cow;

use serde::Deserialize;

use crate::answer::{Answer, Fields};

/// A text that is borrowed wherever it has no escapes. (serde borrows through a `Cow` only where it is a field itself.)
#[derive(Deserialize, Default)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text<'a>(text: Option<&'a Text<'_>>) -> &'a str {
    text.map_or("", |text| &text.0)
}

macro_rules! records {
    ($module:ident, $($unknown:tt)*) => {
        pub mod $module {
            use super::{Answer, Deserialize, Fields, Text, text};

            #[derive(Deserialize)]
            pub struct List<'a> {
                #[serde(borrow)]
                pub items: Vec<Slice<'a>>,
            }

            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            #[expect(dead_code, reason = "read, not looked at")]
            pub struct Slice<'a> {
                #[serde(borrow)]
                pub metadata: Metadata<'a>,
                #[serde(borrow)]
                pub address_type: Text<'a>,
                #[serde(borrow)]
                pub ports: Option<Vec<Port<'a>>>,
                #[serde(borrow)]
                pub endpoints: Option<Vec<Endpoint<'a>>>,
                $($unknown)*
            }

            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            #[expect(dead_code, reason = "read, not looked at")]
            pub struct Metadata<'a> {
                #[serde(borrow)]
                pub name: Option<Text<'a>>,
                #[serde(borrow)]
                pub generate_name: Option<Text<'a>>,
                #[serde(borrow)]
                pub namespace: Option<Text<'a>>,
                #[serde(borrow)]
                pub uid: Option<Text<'a>>,
                #[serde(borrow)]
                pub resource_version: Option<Text<'a>>,
                #[serde(borrow)]
                pub creation_timestamp: Option<Text<'a>>,
                pub labels: Option<std::collections::BTreeMap<String, String>>,
                pub annotations: Option<std::collections::BTreeMap<String, String>>,
                $($unknown)*
            }

            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            #[expect(dead_code, reason = "read, not looked at")]
            pub struct Port<'a> {
                #[serde(borrow)]
                pub name: Option<Text<'a>>,
                #[serde(borrow)]
                pub protocol: Option<Text<'a>>,
                pub port: Option<i32>,
                #[serde(borrow)]
                pub app_protocol: Option<Text<'a>>,
                $($unknown)*
            }

            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            #[allow(dead_code, reason = "read, not looked at")]
            pub struct Endpoint<'a> {
                #[serde(borrow)]
                pub addresses: Vec<Text<'a>>,
                pub conditions: Option<Conditions>,
                #[serde(borrow)]
                pub hostname: Option<Text<'a>>,
                #[serde(borrow)]
                pub target_ref: Option<Target<'a>>,
                #[serde(borrow)]
                pub node_name: Option<Text<'a>>,
                #[serde(borrow)]
                pub zone: Option<Text<'a>>,
                #[serde(borrow)]
                pub hints: Option<Hints<'a>>,
                $($unknown)*
            }

            #[derive(Deserialize)]
            #[allow(dead_code, reason = "read, not looked at")]
            pub struct Conditions {
                pub ready: Option<bool>,
                pub serving: Option<bool>,
                pub terminating: Option<bool>,
                $($unknown)*
            }

            #[derive(Deserialize)]
            #[allow(dead_code, reason = "read, not looked at")]
            pub struct Target<'a> {
                #[serde(borrow)]
                pub kind: Option<Text<'a>>,
                #[serde(borrow)]
                pub namespace: Option<Text<'a>>,
                #[serde(borrow)]
                pub name: Option<Text<'a>>,
                #[serde(borrow)]
                pub uid: Option<Text<'a>>,
                $($unknown)*
            }

            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            #[allow(dead_code, reason = "read, not looked at")]
            pub struct Hints<'a> {
                #[serde(borrow)]
                pub for_zones: Option<Vec<Hint<'a>>>,
                #[serde(borrow)]
                pub for_nodes: Option<Vec<Hint<'a>>>,
                $($unknown)*
            }

            #[derive(Deserialize)]
            #[allow(dead_code, reason = "read, not looked at")]
            pub struct Hint<'a> {
                #[serde(borrow)]
                pub name: Text<'a>,
                $($unknown)*
            }

            impl List<'_> {
                pub fn answer(&self) -> Answer {
                    let mut answer = Answer::default();
                    for slice in &self.items {
                        for endpoint in slice.endpoints.iter().flatten() {
                            let target = endpoint.target_ref.as_ref();
                            let hint = endpoint.hints.as_ref().and_then(|hints| hints.for_zones.as_ref()?.first());
                            let conditions = endpoint.conditions.as_ref();
                            answer.add(
                                text(slice.metadata.name.as_ref()),
                                &Fields {
                                    address: text(endpoint.addresses.first()),
                                    conditions: conditions
                                        .map_or([None; 3], |read| [read.ready, read.serving, read.terminating]),
                                    target: target.map_or([""; 4], |target| {
                                        [&target.kind, &target.namespace, &target.name, &target.uid]
                                            .map(|field| text(field.as_ref()))
                                    }),
                                    node_name: text(endpoint.node_name.as_ref()),
                                    zone: text(endpoint.zone.as_ref()),
                                    hint: hint.map_or("", |hint| text(Some(&hint.name))),
                                },
                            );
                        }
                    }
                    answer
                }
            }
        }
    };
}

records!(ignoring,);
records!(keeping, #[serde(flatten)] pub unknown: std::collections::BTreeMap<String, serde_json::Value>,);
