//! The rows of `docs/benchmarks.md` from Rust: `cargo bench`. `EPCORE_BENCH=quick` takes small sizes and few turns.
#![expect(clippy::expect_used, reason = "the input is made here")]

#[path = "../tests/cluster/mod.rs"]
mod cluster;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use epcore::diff::{self, diff};
use epcore::engine::WatchEvent;
use epcore::model::{EndpointList, EndpointSlice};
use epcore::pack::{self, Options};
use epcore::wire::{Listing, json, proto};

/// Time of the processor, to which other work on the machine adds little.
struct Work;

impl Measurement for Work {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }

    fn end(&self, start: ThreadTime) -> Duration {
        start.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn quick() -> bool {
    std::env::var_os("EPCORE_BENCH").is_some_and(|value| value == "quick")
}

fn sizes() -> &'static [usize] {
    if quick() { &[100, 1_000] } else { &[100, 1_000, 10_000, 100_000] }
}

/// One row: work on inputs of each size, made before.
fn row<T>(criterion: &mut Criterion<Work>, name: &str, make: impl Fn(usize) -> T, mut work: impl FnMut(&mut T)) {
    let mut group = criterion.benchmark_group(name);
    for &size in sizes() {
        let mut input = make(size);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| bencher.iter(|| work(&mut input)));
    }
    group.finish();
}

/// The next list: one endpoint of each slice is not ready.
fn next(size: usize) -> String {
    let text = cluster::listed("web", 0, size);
    let slices: Vec<&str> = text.split(r#"{"metadata""#).collect();
    let changed = slices.iter().map(|slice| slice.replacen(r#""ready":true"#, r#""ready":false"#, 1));
    changed.collect::<Vec<_>>().join(r#"{"metadata""#)
}

fn slices(size: usize) -> Vec<Arc<EndpointSlice>> {
    cluster::read(&cluster::listed("web", 0, size))
}

/// In an order that has nothing to do with that of the slices.
fn shuffled(list: &EndpointList) -> EndpointList {
    let mut keyed: Vec<_> =
        list.iter().enumerate().map(|(at, one)| (at.wrapping_mul(2_654_435_761) % 4_294_967_291, one)).collect();
    keyed.sort_by_key(|&(key, _)| key);
    let mut shuffled = EndpointList::default();
    keyed.into_iter().try_for_each(|(_, one)| shuffled.push(one)).expect("endpoints");
    shuffled
}

fn reading(criterion: &mut Criterion<Work>) {
    // glibc gives less memory back once something large was freed, as in any process that has read a large document; before that each
    // turn is on fresh pages.
    drop(black_box(vec![0_u8; 31 << 20]));
    row(
        criterion,
        "read JSON",
        |size| cluster::listed("web", 0, size),
        |text| {
            black_box(json::read_slices(text.as_bytes()).expect("slices"));
        },
    );
    let listing = |text: String| Listing::read(Arc::new(text.into_bytes())).expect("slices");
    let pair = |size, text: String| (listing(cluster::listed("web", 0, size)), Arc::new(text.into_bytes()));
    row(
        criterion,
        "read the same list again",
        |size| pair(size, cluster::listed("web", 0, size)),
        |(before, text)| {
            black_box(before.next(text.clone()).expect("slices"));
        },
    );
    row(
        criterion,
        "read a list with one percent changed",
        |size| pair(size, next(size)),
        |(before, text)| {
            black_box(before.next(text.clone()).expect("slices"));
        },
    );
    let message = |size| proto::write_slices(slices(size).iter().map(|slice| &**slice)).expect("a message");
    row(criterion, "read protobuf", message, |message| {
        black_box(proto::read_slices(message).expect("slices"));
    });
    row(criterion, "write JSON", slices, |slices| {
        black_box(json::write_slices(slices.iter().map(|slice| &**slice)));
    });
}

fn packing(criterion: &mut Criterion<Work>) {
    let pack = |(wanted, slices): &mut (EndpointList, Vec<Arc<EndpointSlice>>)| {
        let plan = pack::pack(wanted, slices, &Options::default()).expect("a plan");
        assert!(plan.writes().is_empty());
    };
    let in_order = |size| (cluster::wanted(&slices(size)), slices(size));
    row(criterion, "pack without change (in order)", in_order, pack);
    row(criterion, "pack without change (shuffled)", |size| (shuffled(&in_order(size).0), slices(size)), pack);
    row(
        criterion,
        "diff one percent",
        |size| (slices(size), cluster::read(&next(size))),
        |(before, after)| {
            let delta = diff(before, after, diff::Options::default());
            assert_eq!(delta.updated().len(), after.len());
        },
    );
}

fn changing(criterion: &mut Criterion<Work>) {
    let name = ("shop".to_owned(), "web".to_owned());
    for changes in [1, 10, 1_000] {
        let make = |size: usize| {
            let held = slices(size);
            let (packer, _) = cluster::settled_packer(&held);
            let all = cluster::wanted(&held);
            let texts: Vec<_> = all.iter().step_by(size.div_ceil(changes)).map(json::write_endpoint).collect();
            let texts: Vec<_> = texts.into_iter().map(|text| String::from_utf8(text).expect("text")).collect();
            let told = ["one", "other"].map(|zone| {
                let texts: Vec<_> = texts.iter().map(|text| text.replace("zone-", zone)).collect();
                json::read_published(format!("[{}]", texts.join(",")).as_bytes()).expect("endpoints")
            });
            (packer, told, 0)
        };
        row(criterion, &format!("plan changes ({changes})"), make, |(packer, told, turn)| {
            packer.upsert(&name, &told[*turn % 2]).expect("endpoints");
            *turn += 1;
            assert!(!packer.plan(&name, None).expect("a plan").writes().is_empty());
        });
    }
    let view = |size| {
        let change = [cluster::read(&next(100)).swap_remove(0), slices(size).swap_remove(0)];
        (cluster::view_of(&slices(size)), change, 0)
    };
    row(criterion, "view step (a handle)", view, |(view, change, turn)| {
        view.feed(WatchEvent::Present(change[*turn % 2].clone())).expect("a slice");
        *turn += 1;
        assert_eq!(view.checkout().updated().len(), 1);
    });
}

fn settings() -> Criterion<Work> {
    let time = Duration::from_millis(if quick() { 20 } else { 400 });
    let settings = Criterion::default()
        .without_plots()
        .warm_up_time(time / 4)
        .measurement_time(time)
        .with_measurement(Work)
        .sample_size(if quick() { 10 } else { 30 });
    if quick() { settings.nresamples(1_001) } else { settings }
}

criterion_group! { name = rows; config = settings(); targets = reading, packing, changing }
criterion_main!(rows);
