//! Training over two machines, which are two threads on the loopback: LightGBM keeps its network by thread.

use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trees::metrics::Ranked;
use trees::{Binning, Dataset, Network, Params, Rows, Schema, Trained, TreesError, ValidationMetric, train, train_together};

const FEATURES: usize = 4;

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
fn machines() -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
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
    let network = Network::join(machines, rank, 1)?;
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

#[test]
fn two_machines_grow_the_same_model_as_good_as_one() {
    let together = machines();
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| machine(&together, 1, None));
        (machine(&together, 0, None).unwrap(), second.join().unwrap().unwrap())
    });
    assert_eq!(first.model.to_text(), second.model.to_text());
    let (values, labels) = rows(30_000, 1);
    let data = Dataset::from_rows(&schema(), &Binning::default(), Rows::new(&values, FEATURES).unwrap(), &labels, 1).unwrap();
    let (values, labels) = rows(4_000, 2);
    let validation = data.validation(Rows::new(&values, FEATURES).unwrap(), &labels).unwrap();
    let alone = train(&params(), &data, Some(&validation), &mut |_| ControlFlow::Continue(())).unwrap();
    let difference = (auc(&alone) - auc(&first)).abs();
    assert!(difference < 0.003, "{difference}");
}

#[test]
fn a_machine_that_is_lost_ends_the_training_of_the_other_with_an_error_and_both_can_start_again() {
    let together = machines();
    let lost = std::thread::scope(|scope| {
        let second = scope.spawn(|| machine(&together, 1, Some(5)));
        let first = machine(&together, 0, None);
        assert!(matches!(second.join().unwrap(), Err(TreesError::Cancelled { rounds: 5 })));
        first
    });
    assert!(matches!(lost, Err(TreesError::LightGbm { .. })), "{lost:?}");
    let again = machines();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| machine(&again, 1, None));
        machine(&again, 0, None).unwrap();
        second.join().unwrap().unwrap();
    });
}
