//! Training over two or three machines, which are threads on the loopback: LightGBM keeps its network by thread.

use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trees::metrics::Ranked;
use trees::{Binning, Dataset, Network, Params, Rows, Schema, Trained, TreesError, ValidationMetric, train, train_together};

const FEATURES: usize = 4;
const MINUTE: Duration = Duration::from_mins(1);

fn rows(count: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let row: [f32; FEATURES] = std::array::from_fn(|_| random.random_range(-2.0..2.0));
        labels.push(f32::from(u8::from(random.random::<f32>() < 1.0 / (1.0 + (2.0 - 1.5 * row[0] + row[1] * row[2]).exp()))));
        values.extend(row);
    }
    (values, labels)
}

fn params() -> Params {
    Params { rounds: 60, num_leaves: 15, metric: ValidationMetric::BinaryLogloss, early_stopping_rounds: Some(20), ..Params::default() }
}

/// Free ports of the loopback.
fn machines(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

fn schema() -> Schema {
    Schema::new((0..FEATURES).map(|feature| format!("f{feature}")).collect(), vec![]).unwrap()
}

/// One machine: every second row is its own. `rounds` is when it breaks off, if ever.
fn machine(machines: &[SocketAddr], rank: usize, breaks: Option<u32>) -> trees::Result<Trained> {
    let (values, labels) = rows(30_000, 1);
    let own = |at: &usize| at % machines.len() == rank;
    let mine: Vec<f32> = (0..labels.len()).filter(own).flat_map(|at| values[at * FEATURES..(at + 1) * FEATURES].to_vec()).collect();
    let labels: Vec<f32> = (0..labels.len()).filter(own).map(|at| labels[at]).collect();
    let network = Network::join(machines, rank, MINUTE, MINUTE)?;
    let data = Dataset::from_rows(&schema(), &Binning::default(), Rows::new(&mine, FEATURES)?, &labels, 1)?;
    let (values, labels) = rows(4_000, 2);
    let validation = data.validation(Rows::new(&values, FEATURES)?, &labels)?;
    let mut told = |round: trees::Round| if breaks == Some(round.round) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    train_together(&network, &params(), &data, Some(&validation), &mut told)
}

fn auc(trained: &Trained) -> f64 {
    let (values, labels) = rows(20_000, 3);
    let scores = trained.model.predict_raw(Rows::new(&values, FEATURES).unwrap()).unwrap();
    let labels: Vec<bool> = labels.iter().map(|label| *label == 1.0).collect();
    Ranked::from_parts(&scores, &labels).unwrap().auc().unwrap()
}

/// What each of several machines ends with; the last one breaks off at a round, if ever.
fn together(count: usize, breaks: Option<u32>) -> Vec<trees::Result<Trained>> {
    let together = machines(count);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..count)
            .map(|rank| {
                let (together, breaks) = (&together, breaks.filter(|_| rank + 1 == count));
                scope.spawn(move || machine(together, rank, breaks))
            })
            .collect();
        running.into_iter().map(|machine| machine.join().unwrap()).collect()
    })
}

#[test]
fn machines_grow_the_same_model_as_good_as_one() {
    let of_two: Vec<Trained> = together(2, None).into_iter().map(Result::unwrap).collect();
    let of_three: Vec<Trained> = together(3, None).into_iter().map(Result::unwrap).collect();
    let first = &of_two[0];
    assert_eq!(first.model.to_text(), of_two[1].model.to_text());
    assert!(of_three.iter().all(|other| other.model.to_text() == of_three[0].model.to_text()));
    let again: Vec<Trained> = together(3, None).into_iter().map(Result::unwrap).collect();
    assert_eq!(again[0].model.to_text(), of_three[0].model.to_text(), "the same rows on the same machines are the same model");
    let (values, labels) = rows(30_000, 1);
    let data = Dataset::from_rows(&schema(), &Binning::default(), Rows::new(&values, FEATURES).unwrap(), &labels, 1).unwrap();
    let (values, labels) = rows(4_000, 2);
    let validation = data.validation(Rows::new(&values, FEATURES).unwrap(), &labels).unwrap();
    let alone = train(&params(), &data, Some(&validation), &mut |_| ControlFlow::Continue(())).unwrap();
    for shared in [first, &of_three[0]] {
        let difference = (auc(&alone) - auc(shared)).abs();
        assert!(difference < 0.003, "{difference}");
    }
}

#[test]
fn a_machine_that_is_lost_ends_the_training_of_the_others_with_an_error_and_all_can_start_again() {
    for (count, round) in [(2, 1), (2, 5), (3, 2)] {
        let mut ended = together(count, Some(round));
        assert!(matches!(ended.pop(), Some(Err(TreesError::Cancelled { rounds })) if rounds == round));
        for lost in ended {
            let Err(TreesError::LightGbm { message, .. }) = lost else { panic!("{lost:?}") };
            assert!(message.contains("is lost"), "{message}");
        }
    }
    assert!(together(2, None).iter().all(Result::is_ok));
}
