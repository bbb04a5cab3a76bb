//! Readers of JSON beside each other, on lists of EndpointSlices: `cargo run --release [rounds]` prints the tables of
//! `docs/json-readers.md`. The readers take turns within a round, and each must give the same answer.

mod answer;
mod data;
mod with_epcore;
mod with_jiter;
mod with_serde;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use answer::Answer;
use data::Spelling;
use with_serde::{ignoring, keeping};

const SLICES: u32 = 1_000;
const ENDPOINTS: u32 = 100;

/// Reads a document, and the answer too if asked for it.
type Read = fn(&[u8], bool) -> Result<Answer, Box<dyn Error>>;

/// The reader whose time is 1.
const OURS: &str = "epcore, checked";

const READERS: [(&str, Read); 7] = [
    (OURS, |document, ask| {
        let slices = epcore::wire::json::read_slices(document)?;
        let slices = black_box(slices);
        Ok(if ask { with_epcore::answer(&slices) } else { Answer::default() })
    }),
    ("jiter, pull", |document, ask| {
        let slices =
            black_box(with_jiter::read(document).map_err(|error| error.description(&jiter::Jiter::new(document)))?);
        Ok(if ask { with_jiter::answer(&slices) } else { Answer::default() })
    }),
    ("sonic-rs, serde", |document, ask| {
        let list: ignoring::List<'_> = black_box(sonic_rs::from_slice(document)?);
        Ok(if ask { list.answer() } else { Answer::default() })
    }),
    ("simd-json, serde", |document, ask| {
        // It reads in place and spoils its input, so that a caller who keeps his must copy it.
        let mut copy = document.to_vec();
        let list: ignoring::List<'_> = black_box(simd_json::from_slice(&mut copy)?);
        Ok(if ask { list.answer() } else { Answer::default() })
    }),
    ("serde_json", |document, ask| {
        let list: ignoring::List<'_> = black_box(serde_json::from_slice(document)?);
        Ok(if ask { list.answer() } else { Answer::default() })
    }),
    ("serde_json, unknown fields kept", |document, ask| {
        let list: keeping::List<'_> = black_box(serde_json::from_slice(document)?);
        Ok(if ask { list.answer() } else { Answer::default() })
    }),
    ("serde_json, any value", |document, ask| {
        // What is there without a schema: the floor under everything that builds a tree first.
        let tree: serde_json::Value = black_box(serde_json::from_slice(document)?);
        Ok(if ask { from_tree(&tree) } else { Answer::default() })
    }),
];

fn from_tree(tree: &serde_json::Value) -> Answer {
    let text = tree.to_string();
    serde_json::from_str::<ignoring::List<'_>>(&text).map(|list| list.answer()).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(31), |word| word.parse())?;
    for (spelling, title) in Spelling::ALL {
        let document = data::list(SLICES, ENDPOINTS, spelling);
        let expected = READERS[0].1(&document, true)?;
        assert_eq!(expected.endpoints, (SLICES * ENDPOINTS) as usize, "{title}");
        for (name, read) in READERS {
            assert_eq!(read(&document, true)?, expected, "{name}: {title}");
        }
        let mut times = vec![Vec::with_capacity(rounds); READERS.len()];
        let mut checks = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            for ((_, read), times) in READERS.iter().zip(&mut times) {
                let start = Instant::now();
                read(black_box(&document), false)?;
                times.push(start.elapsed());
            }
            let slices = epcore::wire::json::read_slices(&document)?;
            let start = Instant::now();
            for slice in &slices {
                epcore::model::validate_slice(slice)?;
            }
            checks.push(start.elapsed());
        }
        print(title, document.len(), &mut times, &mut checks);
    }
    Ok(())
}

fn print(title: &str, bytes: usize, times: &mut [Vec<Duration>], checks: &mut [Duration]) {
    println!("### {}, {:.1} MB\n", capitalised(title), bytes as f64 / 1e6);
    println!("| reader | minimum, ms | median, ms | GB/s | median beside epcore |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let (_, ours) = spread(&mut times[0]);
    for ((name, _), times) in READERS.iter().zip(times) {
        let (least, median) = spread(times);
        let rate = bytes as f64 / 1e6 / median;
        println!("| {name} | {least:.1} | {median:.1} | {rate:.2} | {:.2} |", median / ours);
    }
    let (least, median) = spread(checks);
    println!("| *of epcore: the check of every field* | *{least:.1}* | *{median:.1}* | | *{:.2}* |\n", median / ours);
}

/// Minimum and median in milliseconds.
fn spread(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    (times[0].as_secs_f64() * 1e3, times[times.len() / 2].as_secs_f64() * 1e3)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
