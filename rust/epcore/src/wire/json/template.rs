//! How the endpoints of a document are spelled, learned from those that the plain reader has read.
//!
//! One program writes the endpoints of a list, so that all look alike but for their values. A template is the text of an endpoint that the
//! plain reader took, with holes where the values were. A text that has the same bytes around the holes, and in them texts without
//! quotes, escapes and control characters, is the same to the plain reader but for those values: so it takes a comparison to read it.
//! Whatever does not fit is left to the plain reader, errors too.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::mem::take;

use crate::Error;
use crate::model::{
    AddressType, EndpointList, EndpointPort, EndpointSlice, Members, Shared, Valid, validate_endpoint, validate_slice,
    validate_slice_around_endpoints,
};
use crate::thread;
use crate::wire::json::again::Again;
use crate::wire::json::carry::{Before, Places};
use crate::wire::json::endpoint::read_endpoint;
use crate::wire::json::forms::canonical_like_others;
use crate::wire::json::kept::Kept;
use crate::wire::json::locate::locate_in;
use crate::wire::json::port::read_ports;
use crate::wire::json::reader::{MAX_DEPTH, Reader, keep, read_text_map};
use crate::wire::json::run::LEVELS;
use crate::wire::json::shape::Template;

/// Most shapes of endpoints to remember.
const MOST_TEMPLATES: usize = 8;
/// Bytes of an endpoint with an address, to bound how many there may be.
const SHORTEST: usize = r#"{"addresses":["10.0.0.1"]}"#.len();
/// Endpoints for each of which something may be learned, on average: where no two look alike, learning is lost work.
const PRICE: usize = 32;
/// Endpoints that are read before somebody may say that it is enough.
const MOST_AT_ONCE: usize = 1024;
/// Endpoints of the last document that are looked for at a place, and those that are read before none is looked for any more.
const MOST_AHEAD: usize = 2;
const MOST_MISSED: usize = 3;

thread_local! {
    /// What documents looked like that were read on this thread: the next is likely to look the same.
    static KEPT: Cell<Option<Box<Templates>>> = const { Cell::new(None) };
}

/// The shapes that endpoints have had, the one used last first.
pub(crate) struct Templates {
    learned: Vec<Template>,
    credit: usize,
    is_learning: bool,
    labels: Again<BTreeMap<String, String>>,
    ports: Again<Vec<EndpointPort>>,
    valid: Valid,
    kept: Kept,
    /// Endpoints and bytes of text of the last list: the next is likely to be like it.
    room: (usize, usize),
    /// The end of endpoints of this document of which one is not in ASCII, so that none of them is tried again.
    plain_until: usize,
    /// Of the endpoints of the slice that is read.
    pub(super) places: Places,
}

impl Templates {
    pub(crate) fn new() -> Self {
        Self {
            learned: Vec::new(),
            credit: MOST_TEMPLATES * PRICE,
            is_learning: true,
            labels: Again::new(),
            ports: Again::new(),
            valid: Valid::default(),
            kept: Kept::new(),
            room: (0, 0),
            plain_until: 0,
            places: Places::default(),
        }
    }

    /// Let `read` use what this thread has learned, and learn more. It makes reading faster and changes nothing of what is read.
    pub(crate) fn kept<T>(read: impl FnOnce(&mut Self) -> T) -> T {
        let mut templates = thread::take(&KEPT).unwrap_or_else(|| Box::new(Self::new()));
        templates.forget();
        templates.plain_until = 0;
        let outcome = read(&mut templates);
        (templates.valid, templates.places) = (Valid::default(), Places::default());
        thread::keep(&KEPT, Some(templates));
        outcome
    }

    /// Templates that learn nothing: the plain reader alone.
    pub(crate) fn none() -> Self {
        Self { is_learning: false, ..Self::new() }
    }

    /// Begin with another list.
    pub(super) fn forget(&mut self) {
        self.kept.forget();
        self.kept.are_sound = true;
    }

    /// Read the labels of a slice.
    pub(super) fn read_labels(&mut self, reader: &mut Reader<'_>) -> Result<Shared<BTreeMap<String, String>>, Error> {
        if self.is_learning { self.labels.read(reader, read_text_map) } else { read_text_map(reader).map(Shared::from) }
    }

    /// Keep a member of the metadata of a slice that has no meaning here.
    pub(super) fn read_unknown(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        members: &mut Members,
    ) -> Result<(), Error> {
        let json = if self.is_learning { canonical_like_others(reader)? } else { reader.canonical()? };
        keep(name, json, members)
    }

    /// Read the ports of a slice.
    pub(super) fn read_ports(&mut self, reader: &mut Reader<'_>) -> Result<Shared<Vec<EndpointPort>>, Error> {
        if self.is_learning { self.ports.read(reader, read_ports) } else { read_ports(reader).map(Shared::from) }
    }

    /// Read an array of endpoints onto the end of an empty list. Many are likely to be those that were there before.
    pub(crate) fn read_endpoints(
        &mut self,
        reader: &mut Reader<'_>,
        list: &mut EndpointList,
        before: Option<Before<'_>>,
    ) -> Result<(), Error> {
        self.forget();
        reader.peek();
        self.places.push(reader.position());
        if self.is_learning {
            let rest = reader.bytes().len() - reader.position();
            list.reserve((self.room.0.min(rest / SHORTEST), self.room.1.min(rest)));
        }
        match before {
            Some(before) => self.read_others_than(before, reader, list)?,
            None => reader.runs(|reader, _| self.read_some(reader, list))?,
        }
        self.room = list.size();
        list.shrink();
        Ok(())
    }

    /// Read the endpoints that were not there before.
    fn read_others_than(
        &mut self,
        before: Before<'_>,
        reader: &mut Reader<'_>,
        list: &mut EndpointList,
    ) -> Result<(), Error> {
        let (mut is_carried, mut expected, mut missed) = (false, 0, 0);
        reader.runs(|reader, _| {
            let among = if missed > MOST_MISSED { 0..0 } else { expected..expected + missed + MOST_AHEAD };
            let Some(run) = before.run(among, reader) else {
                missed += 1;
                return self.read_most(reader, list, if missed > MOST_MISSED { MOST_AT_ONCE } else { 1 });
            };
            if !is_carried {
                *list = before.list(list)?;
                self.kept.forget();
                self.kept.are_sound &= before.are_sound();
            }
            (is_carried, expected, missed) = (true, run.end, 0);
            before.carry(run.clone(), reader, list, &mut self.places);
            Ok(run.len())
        })?;
        *list = take(list).without_waste()?;
        Ok(())
    }

    /// Read an endpoint, and of an array those behind it that fit, onto the end of a list. The answer is how many they are.
    pub(crate) fn read_some(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<usize, Error> {
        let most = if reader.depth() == 0 { 1 } else { MOST_AT_ONCE };
        self.read_most(reader, list, most)
    }

    fn read_most(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList, most: usize) -> Result<usize, Error> {
        match self.read_run(reader, list, most) {
            0 => self.read_other(reader, list).map(|()| 1),
            count => Ok(count),
        }
    }

    /// The same, each checked as the API server does, as far as that needs no address type.
    pub(crate) fn read_valid(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<usize, Error> {
        let (start, before) = (reader.clone(), list.len());
        self.kept.are_sound = true;
        let count = self.read_some(reader, list)?;
        let check = |index| validate_endpoint(list.get(index)?, None).err().map(|error| (index - before, error));
        let wrong = if self.kept.are_sound { None } else { (before..list.len()).find_map(check) };
        match wrong {
            None => Ok(count),
            Some((0, error)) => Err(locate_in(start, error)),
            Some((right, _)) => {
                // It is told when it is the first.
                list.truncate(before);
                *reader = start;
                self.read_most(reader, list, right)
            }
        }
    }

    /// Check as the API server does the slice whose endpoints were read last.
    pub(crate) fn validate(&mut self, slice: &EndpointSlice) -> Result<(), Error> {
        if self.kept.are_sound && slice.address_type == AddressType::IPv4 {
            validate_slice_around_endpoints(slice, &mut self.valid)
        } else {
            validate_slice(slice)
        }
    }

    /// Read one endpoint plainly, and learn from it.
    fn read_other(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList) -> Result<(), Error> {
        let start = reader.clone();
        self.kept.are_sound = false;
        read_endpoint(reader, list)?;
        self.places.push(reader.position());
        if self.is_learning && list.get(list.len() - 1).is_some_and(|endpoint| endpoint.rare().is_none()) {
            self.learn(&start);
        }
        Ok(())
    }

    /// Read the endpoints that are next in an array and fit, at most so many, onto the end of a list. The answer is how many they are.
    fn read_run(&mut self, reader: &mut Reader<'_>, list: &mut EndpointList, most: usize) -> usize {
        let is_plain = reader.position() < self.plain_until || reader.depth() + LEVELS > MAX_DEPTH;
        if self.learned.is_empty() || is_plain || !self.kept.begin(list) {
            return 0;
        }
        debug_assert!(self.are_in(list), "a list that is another one, or was cleared, and nobody said so");
        reader.peek();
        let (before, mut end) = (list.len(), reader.position());
        let mut next = Some(end);
        while let Some(after) = next.and_then(|at| self.find(reader, at, list)) {
            end = after;
            self.places.push(end);
            next = if list.len() - before < most { reader.next_item(end) } else { None };
        }
        if !self.kept.end(list) {
            self.places.take_back(list.len() - before);
            list.truncate(before);
            self.plain_until = end;
            return 0;
        }
        let count = list.len() - before;
        self.credit = (self.credit + count).min(MOST_TEMPLATES * PRICE);
        reader.jump(end);
        count
    }

    /// True if all texts that are remembered of the list that is read are texts of this one.
    fn are_in(&self, list: &EndpointList) -> bool {
        let number = self.kept.number();
        self.kept.are_in(list) && self.learned.iter().all(|template| template.is_in(number, list))
    }

    /// Where the endpoint at a place ends, if it fits a template; it is appended to the list.
    #[inline]
    fn find(&mut self, reader: &Reader<'_>, at: usize, list: &mut EndpointList) -> Option<usize> {
        let end = self.learned.first_mut()?.read(reader, at, &mut self.kept, list);
        if end.is_some() { end } else { self.find_other(reader, at, list) }
    }

    #[inline(never)]
    fn find_other(&mut self, reader: &Reader<'_>, at: usize, list: &mut EndpointList) -> Option<usize> {
        let mut others = (1..).zip(self.learned.get_mut(1..)?);
        let (which, end) =
            others.find_map(|(which, template)| Some((which, template.read(reader, at, &mut self.kept, list)?)))?;
        self.learned.swap(0, which);
        Some(end)
    }

    #[cold]
    fn learn(&mut self, start: &Reader<'_>) {
        self.credit += 1;
        if self.credit <= PRICE {
            return;
        }
        self.credit -= PRICE;
        if let Some(template) = Template::learn(start) {
            self.learned.truncate(MOST_TEMPLATES - 1);
            self.learned.insert(0, template);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the endpoints are read by a template.
    fn read_by_template(endpoints: &[&str]) -> Vec<bool> {
        let text = format!("{}{}", endpoints.join(""), " ".repeat(16));
        let mut reader = Reader::new(&text);
        let mut templates = Templates::new();
        let mut list = EndpointList::default();
        let mut read = |_| {
            let fits = templates.read_run(&mut reader, &mut list, 1) == 1;
            if !fits {
                templates.read_some(&mut reader, &mut list).unwrap();
            }
            fits
        };
        let found = endpoints.iter().map(&mut read).collect();
        assert_eq!(list.len(), endpoints.len());
        found
    }

    #[test]
    fn what_is_spelled_alike_is_read_by_template() {
        let one = r#"{"addresses":["10.0.0.1"],"conditions":{"ready":true},"nodeName":"a","zone":null}"#;
        let two = r#"{"addresses":["10.255.100.17"],"conditions":{"ready":false,"serving":true},"nodeName":"node-2","zone":null}"#;
        let zoned = r#"{"addresses":["10.0.0.1"],"conditions":{"ready":true},"nodeName":"a","zone":"z","hints":{"forZones":[{"name":"z"}]}}"#;
        assert_eq!(
            read_by_template(&[one, two, one, zoned, two, zoned, one]),
            [false, true, true, false, true, true, true]
        );
        let spaced = two.replace("true,", "true , ");
        assert_eq!(read_by_template(&[one, &spaced, &one.replace("\":", "\": "), &spaced]), [false, true, false, true]);
    }

    #[test]
    fn what_the_plain_reader_sees_in_another_way_is_left_to_it() {
        let one = r#"{"addresses":["10.0.0.1"],"nodeName":"a","targetRef":{"name":"p"}}"#;
        for other in [
            r#"{"addresses":["10.0.0.1"],"nodeName":"\u0061","targetRef":{"name":"p"}}"#,
            r#"{"addresses":["10.0.0.1","10.0.0.2"],"nodeName":"a","targetRef":{"name":"p"}}"#,
            r#"{"addresses":["10.0.0.1"],"nodeName":null,"targetRef":{"name":"p"}}"#,
            r#"{"addresses":["10.0.0.1"],"nodeName":"a","targetRef":{"name":"p"},"weight":1}"#,
            r#"{"addresses":["10.0.0.1"],"targetRef":{"name":"p"},"nodeName":"a"}"#,
            r#"{ "addresses":["10.0.0.1"],"nodeName":"a","targetRef":{"name":"p"}}"#,
        ] {
            assert_eq!(read_by_template(&[one, one, other, one]), [false, true, false, true], "{other}");
        }
    }

    #[test]
    fn endpoints_in_other_conditions_have_the_same_texts() {
        let text = |number: usize, is_ready: bool| {
            format!(
                r#"{{"addresses":["10.0.0.{number}"],"conditions":{{"ready":{is_ready}}},"targetRef":{{"kind":"Pod","namespace":"shop","name":"p-{number}"}},"zone":"z-{}"}}"#,
                number % 3
            )
        };
        let mut templates = Templates::new();
        let mut texts = |is_ready: fn(usize) -> bool| {
            let endpoints: Vec<String> = (0..40).map(|number| text(number, is_ready(number))).collect();
            let (document, mut list) = (format!("[{}]", endpoints.join(",")), EndpointList::default());
            templates.kept.forget();
            templates.read_endpoints(&mut Reader::new(&document), &mut list, None).unwrap();
            list.text().all().to_vec()
        };
        texts(|number| number > 10);
        let all_ready = texts(|_| true);
        assert_eq!(texts(|number| number % 5 > 0), all_ready);
        assert_eq!(all_ready.windows(4).filter(|four| four == b"shop").count(), 1);
    }

    #[test]
    fn after_a_text_that_is_not_plain_templates_fit_again() {
        let one =
            |node: &str, zone: &str| format!(r#"{{"addresses":["10.0.0.1"],"nodeName":"{node}","zone":"{zone}"}}"#);
        let (right, wrong) = (one("n-12", "a"), one(r"n-\\", "a"));
        // Another zone is kept while the text before it was not looked at yet.
        let document = format!("[{}]", [&*right, &right, &wrong, &one("n-12", "b"), &right].join(","));
        let (mut templates, mut list) = (Templates::new(), EndpointList::default());
        templates.read_endpoints(&mut Reader::new(&document), &mut list, None).unwrap();
        assert_eq!(list.get(2).unwrap().node_name(), Some(r"n-\"));
        let again = format!("{right}{}", " ".repeat(16));
        let mut reader = Reader::new(&again);
        templates.plain_until = 0;
        templates.forget();
        assert_eq!(templates.read_run(&mut reader, &mut EndpointList::default(), 1), 1);
    }

    #[cfg(debug_assertions)]
    #[test]
    fn who_reads_on_into_another_list_is_stopped() {
        for member in [r#""nodeName":"a""#, r#""zone":"a""#] {
            let text = format!(r#"{{"addresses":["10.0.0.1"],{member}}}"#);
            let document = format!("{}{}", text.repeat(4), " ".repeat(16));
            let outcome = |clears: bool| {
                let (mut reader, mut templates, mut list) =
                    (Reader::new(&document), Templates::new(), EndpointList::default());
                for number in 0..4 {
                    if clears && number == 3 {
                        list.clear();
                    }
                    templates.read_some(&mut reader, &mut list).unwrap();
                }
            };
            outcome(false);
            assert!(std::panic::catch_unwind(|| outcome(true)).is_err(), "{member}");
        }
    }

    #[test]
    fn where_no_two_look_alike_little_is_learned() {
        let spaced = |number| format!(r#"{{{}"addresses":["10.0.0.1"]}}"#, " ".repeat(number));
        let text = (0..2000).map(spaced).collect::<Vec<_>>().join("\n");
        let (mut reader, mut templates, mut learned) = (Reader::new(&text), Templates::new(), 0);
        for _ in 0..2000 {
            let credit = templates.credit;
            templates.read_some(&mut reader, &mut EndpointList::default()).unwrap();
            learned += usize::from(templates.credit < credit);
        }
        assert!((MOST_TEMPLATES..=MOST_TEMPLATES + 2000 / PRICE).contains(&learned), "{learned}");
        assert_eq!(templates.learned.len(), MOST_TEMPLATES);
    }

    #[test]
    fn the_plain_reader_learns_nothing() {
        let mut templates = Templates::none();
        let text = r#"[{"addresses":["10.0.0.1"]},{"addresses":["10.0.0.2"]},{"addresses":["10.0.0.3"]}]"#;
        templates.read_endpoints(&mut Reader::new(text), &mut EndpointList::default(), None).unwrap();
        assert!(templates.learned.is_empty());
    }
}
