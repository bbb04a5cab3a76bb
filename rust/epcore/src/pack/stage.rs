//! Where endpoints are in their lives, and which ones a slice is meant for.

use crate::model::{EndpointSlice, ROLE_ANNOTATION};

/// Where an item is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It takes traffic, and nothing says that it will change.
    #[default]
    Settled,
    /// It takes no traffic yet.
    New,
    /// It took traffic and does not, but may again.
    Restless,
    /// It is about to go.
    Leaving,
}

impl Stage {
    /// What a container of such items alone is meant for.
    pub(crate) fn role(self) -> Role {
        match self {
            Self::Leaving => Role::Leaving,
            Self::Restless => Role::Restless,
            Self::New | Self::Settled => Role::Settled,
        }
    }
}

/// What is known of the lives of the items.
pub(crate) struct Stages {
    pub(crate) of: Vec<Stage>,
    /// Some endpoint is ready, and stays so.
    pub(crate) some_stays_ready: bool,
}

/// Which items a container is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// Any.
    #[default]
    Settled,
    Restless,
    Leaving,
}

impl Role {
    /// What the annotation of a slice says; a word that is not ours is none.
    pub(crate) fn of(slice: &EndpointSlice) -> Self {
        match slice.metadata.annotations.get(ROLE_ANNOTATION).map(String::as_str) {
            Some("restless") => Self::Restless,
            Some("leaving") => Self::Leaving,
            _ => Self::Settled,
        }
    }

    /// Say it on a slice that is written.
    pub(crate) fn mark(self, slice: &mut EndpointSlice) {
        let word = match self {
            Self::Settled => {
                slice.metadata.annotations.remove(ROLE_ANNOTATION);
                return;
            }
            Self::Restless => "restless",
            Self::Leaving => "leaving",
        };
        slice.metadata.annotations.insert(ROLE_ANNOTATION.to_owned(), word.to_owned());
    }
}
