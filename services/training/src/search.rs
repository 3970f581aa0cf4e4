//! A search for better parameters: random candidates, and successive halving (Jamieson and Talwalkar, "Non-stochastic best arm
//! identification and hyperparameter optimization", AISTATS 2016). Many candidates grow few trees; the better third grows
//! more; the best of the last rung wins. Only training and validation rows are read: the test rows know nothing of it.
//!
//! What is known is saved after each candidate, so that a search that was stopped goes on where it was.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use trees::{Params, train};

use crate::error::TrainingError;
use crate::prepare::Prepared;

/// Trees of each rung, as a share of those of the full training; a third of the candidates of a rung goes on to the next.
const RUNGS: [f64; 3] = [0.1, 0.3, 1.0];
const KEPT: usize = 3;

/// How much is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Candidates, the parameters given among them.
    pub candidates: u32,
    /// Time after which no further candidate is tried, if any; the best one of the last rung that others than the given parameters
    /// reached wins.
    pub time: Option<Duration>,
}

/// What is known so far: for each rung and candidate, the best loss on validation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// By rung, then by candidate.
    pub losses: Vec<BTreeMap<u32, f64>>,
}

/// A candidate of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number; 0 is the parameters given.
    pub candidate: u32,
    /// Its parameters.
    pub params: Params,
    /// Best loss on validation at each rung that it reached.
    pub losses: Vec<f64>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The winner.
    pub params: Params,
    /// All candidates that were tried.
    pub trials: Vec<Trial>,
}

/// The parameters of a candidate: those given for number 0, otherwise drawn around them by the seed and the number.
pub fn candidate(base: &Params, number: u32) -> Params {
    if number == 0 {
        return base.clone();
    }
    let mut random = ChaCha8Rng::seed_from_u64(base.seed.into());
    random.set_stream(number.into());
    let mut pick = |choices: &[f64]| choices[random.random_range(0..choices.len())];
    Params {
        learning_rate: pick(&[0.01, 0.02, 0.03, 0.05]),
        num_leaves: pick(&[7.0, 11.0, 15.0, 23.0, 31.0, 47.0]) as u32,
        min_data_in_leaf: pick(&[50.0, 100.0, 200.0, 400.0, 800.0]) as u32,
        lambda_l2: pick(&[0.0, 1.0, 10.0, 50.0]),
        feature_fraction: pick(&[0.2, 0.35, 0.5, 0.7, 1.0]),
        bagging_fraction: pick(&[0.3, 0.5, 0.7, 0.9]),
        category_l2: pick(&[10.0, 100.0, 300.0, 1_000.0]),
        category_smoothing: pick(&[10.0, 200.0, 1_000.0]),
        min_gain_to_split: pick(&[0.0, 0.0, 0.01, 0.1]),
        ..base.clone()
    }
}

/// Searches, from what a log says is known already. `save` is told what is known after each candidate; `progress` of the
/// candidates done and to do, and may cancel.
pub fn search(
    prepared: &Prepared,
    base: &Params,
    budget: Budget,
    mut log: Log,
    save: &mut dyn FnMut(&Log) -> Result<(), TrainingError>,
    progress: &mut dyn FnMut(u32, u32) -> ControlFlow<()>,
) -> Result<Found, TrainingError> {
    let start = Instant::now();
    let total = (0..RUNGS.len()).map(|rung| survivors(budget.candidates, rung)).sum::<usize>() as u32;
    let mut alive: Vec<u32> = (0..budget.candidates.max(1)).collect();
    let mut done = 0;
    log.losses.resize(RUNGS.len(), BTreeMap::new());
    for (rung, share) in RUNGS.into_iter().enumerate() {
        for &number in &alive {
            done += 1;
            if progress(done, total).is_break() {
                return Err(TrainingError::Cancelled);
            }
            if log.losses[rung].contains_key(&number) {
                continue;
            }
            // The parameters given are always tried: a winner is never worse than they on validation.
            if number > 0 && budget.time.is_some_and(|time| start.elapsed() >= time) {
                continue;
            }
            let params = candidate(base, number);
            let rounds = ((f64::from(params.rounds) * share).ceil() as u32).max(1);
            let params = Params { rounds, early_stopping_rounds: params.early_stopping_rounds.or(Some(rounds)), ..params };
            let trained = train(&params, &prepared.train, Some(&prepared.validation), &mut |_| ControlFlow::Continue(()))?;
            let losses = trained.history.iter().filter_map(|round| round.metric);
            let best = losses.reduce(|best, loss| if params.metric.improves(loss, best) { loss } else { best });
            log.losses[rung].insert(number, best.ok_or(TrainingError::NothingToMeasure("validation"))?);
            save(&log)?;
        }
        if rung + 1 < RUNGS.len() {
            alive = best_of(&log.losses[rung], base, survivors(budget.candidates, rung + 1));
        }
    }
    // The given parameters climb all rungs, also when the time is over: alone on a rung they have beaten nobody.
    let contested = |rung: &&BTreeMap<u32, f64>| rung.keys().any(|number| *number > 0);
    let last = log.losses.iter().rev().find(contested).cloned().unwrap_or_default();
    let winner = best_of(&last, base, 1).first().copied().unwrap_or(0);
    let numbers: Vec<u32> = log.losses.first().map(|rung| rung.keys().copied().collect()).unwrap_or_default();
    let trial = |number: u32| Trial {
        candidate: number,
        params: candidate(base, number),
        losses: log.losses.iter().map_while(|rung| rung.get(&number).copied()).collect(),
    };
    Ok(Found { params: candidate(base, winner), trials: numbers.into_iter().map(trial).collect() })
}

/// Candidates of a rung.
fn survivors(candidates: u32, rung: usize) -> usize {
    (candidates.max(1) as usize).div_ceil(KEPT.pow(rung as u32))
}

/// The best candidates, the given parameters always among them unless only one is wanted.
fn best_of(losses: &BTreeMap<u32, f64>, base: &Params, count: usize) -> Vec<u32> {
    let mut ranked: Vec<(u32, f64)> = losses.iter().map(|(number, loss)| (*number, *loss)).collect();
    ranked.sort_by(|a, b| {
        let order = if base.metric.improves(0.0, 1.0) { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) };
        order.then(a.0.cmp(&b.0))
    });
    let mut best: Vec<u32> = ranked.into_iter().map(|(number, _)| number).take(count).collect();
    if count > 1 && losses.contains_key(&0) && !best.contains(&0) {
        best.pop();
        best.push(0);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::tests::prepared;

    const BUDGET: Budget = Budget { candidates: 9, time: None };

    fn base() -> Params {
        Params {
            rounds: 30,
            min_data_in_leaf: 50,
            early_stopping_rounds: Some(10),
            metric: trees::ValidationMetric::BinaryLogloss,
            ..Params::default()
        }
    }

    #[test]
    fn fewer_candidates_grow_more_trees_and_the_winner_is_at_least_as_good_as_the_given_ones() {
        let found = search(&prepared(), &base(), BUDGET, Log::default(), &mut |_| Ok(()), &mut |_, _| ControlFlow::Continue(())).unwrap();
        let reached = |rung: usize| found.trials.iter().filter(|trial| trial.losses.len() > rung).count();
        assert_eq!([reached(0), reached(1), reached(2)], [9, 3, 1]);
        let again = search(&prepared(), &base(), BUDGET, Log::default(), &mut |_| Ok(()), &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(found, again);
        assert_ne!(candidate(&base(), 1), candidate(&base(), 2));
    }

    #[test]
    fn a_stopped_search_goes_on_where_it_was() {
        let whole = search(&prepared(), &base(), BUDGET, Log::default(), &mut |_| Ok(()), &mut |_, _| ControlFlow::Continue(())).unwrap();
        let mut saved = Log::default();
        let mut stop = |done: u32, _: u32| if done > 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let mut save = |log: &Log| {
            saved = log.clone();
            Ok(())
        };
        let stopped = search(&prepared(), &base(), BUDGET, Log::default(), &mut save, &mut stop);
        assert!(matches!(stopped, Err(TrainingError::Cancelled)));
        assert_eq!(saved.losses[0].len(), 5);
        let mut trained = 0;
        let mut count = |_: &Log| {
            trained += 1;
            Ok(())
        };
        let resumed = search(&prepared(), &base(), BUDGET, saved, &mut count, &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!((resumed, trained), (whole, 4 + 3 + 1));
    }

    #[test]
    fn when_time_is_over_the_best_of_the_last_contested_rung_wins() {
        let whole = search(&prepared(), &base(), BUDGET, Log::default(), &mut |_| Ok(()), &mut |_, _| ControlFlow::Continue(())).unwrap();
        // All of the first rung is known, and number 4 is far ahead; then no time is left.
        let mut first: BTreeMap<u32, f64> = whole.trials.iter().map(|trial| (trial.candidate, trial.losses[0])).collect();
        first.insert(4, 0.0);
        let known = Log { losses: vec![first] };
        let budget = Budget { time: Some(Duration::ZERO), ..BUDGET };
        let found = search(&prepared(), &base(), budget, known, &mut |_| Ok(()), &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(found.params, candidate(&base(), 4));
    }

    #[test]
    fn without_time_only_the_given_parameters_are_tried() {
        let budget = Budget { time: Some(Duration::ZERO), ..BUDGET };
        let found = search(&prepared(), &base(), budget, Log::default(), &mut |_| Ok(()), &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!((found.params, found.trials.len()), (base(), 1));
    }
}
