//! `sf load`: requests at a fixed rate, whatever the answers do, and how long each took.
//!
//! An open loop: a request is due at its own time, and its latency counts from then. A service that falls behind is seen to,
//! as its users would see it, instead of being asked less often.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use api::features::BatchGetFeaturesRequest;
use api::features::feature_service_client::FeatureServiceClient;
use api::ingestion::{ListBatchesRequest, StreamPerimeterRequest};
use api::lists::list_service_client::ListServiceClient;
use api::lists::{GetRankedListRequest, RankedListFilter};
use api::scoring::scoring_service_client::ScoringServiceClient;
use api::scoring::{BatchScoreCompaniesRequest, ScoreCompanyRequest, score_result};
use domain::{BatchKey, Department};
use serde_json::json;
use service_kit::error::{ErrorCode, ServiceError};
use service_kit::link::Link;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Status;

use super::Session;
use crate::args::{Load, LoadTarget};
use crate::failure::Failure;
use crate::output::{Output, count, number};

/// How a request ended.
struct Answer {
    /// From when it was due to its answer.
    latency: Duration,
    outcome: Result<Good, Status>,
}

/// What an answer holds.
#[derive(Default)]
struct Good {
    /// Companies without a value.
    missing: u64,
    /// Served without the online store.
    stale: bool,
}

pub async fn load(session: &Session, arguments: &Load) -> Result<(), Failure> {
    let sirens = companies(session, arguments.batch).await?;
    let mut client = Client::new(session, arguments.what);
    // The connection is made, and caches are warm.
    client.call(draw(&sirens, 0, arguments.companies)).await?;
    let (sender, mut answers) = mpsc::unbounded_channel();
    let (handle, rate, wanted) = (Handle::current(), arguments.rate, (arguments.rate * f64::from(arguments.seconds)).ceil() as u64);
    let most = arguments.companies;
    // A thread of its own: the timers of the runtime count milliseconds.
    let pacing = thread::spawn(move || {
        let start = Instant::now();
        for number in 0..wanted {
            let due = start + Duration::from_secs_f64(number as f64 / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let (mut client, sender, asked) = (client.clone(), sender.clone(), draw(&sirens, number, most));
            handle.spawn(async move {
                let outcome = client.call(asked).await;
                // Nobody listens once the command was interrupted.
                let _ = sender.send(Answer { latency: due.elapsed(), outcome });
            });
        }
        start
    });
    let mut all = Vec::new();
    while let Some(answer) = answers.recv().await {
        all.push(answer);
    }
    let start = pacing.join().map_err(|_| ServiceError::new(ErrorCode::Internal, "the requests could not be sent"))?;
    report(all, arguments, start.elapsed()).print(session.format)
}

/// The companies of the perimeter of a batch, the latest if none is named.
async fn companies(session: &Session, batch: Option<BatchKey>) -> Result<Vec<String>, Failure> {
    let mut client = session.clients.ingestion();
    let batch = if let Some(batch) = batch {
        batch.to_string()
    } else {
        let batches = client.list_batches(ListBatchesRequest::default()).await?.into_inner().batches;
        batches.into_iter().map(|batch| batch.batch).max().unwrap_or_default()
    };
    let request = StreamPerimeterRequest { batch: batch.clone(), ..Default::default() };
    let mut stream = client.stream_perimeter(request).await?.into_inner();
    let mut sirens = Vec::new();
    while let Some(company) = stream.message().await? {
        if company.included {
            sirens.push(company.siren);
        }
    }
    if sirens.is_empty() {
        return Err(ServiceError::new(ErrorCode::BatchNotFound, format!("batch {batch} has no company to ask for")).into());
    }
    Ok(sirens)
}

/// The companies of a request: scattered over all, and the same in each run.
fn draw(sirens: &[String], number: u64, most: u32) -> Vec<String> {
    let first = number * u64::from(most);
    let at = |index: u64| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16) as usize % sirens.len();
    (first..first + u64::from(most)).map(|index| sirens[at(index)].clone()).collect()
}

/// A client of what is measured.
#[derive(Clone)]
enum Client {
    Features(FeatureServiceClient<Link>),
    Scores(ScoringServiceClient<Link>),
    Lists(ListServiceClient<Link>),
}

impl Client {
    fn new(session: &Session, what: LoadTarget) -> Self {
        match what {
            LoadTarget::Features => Self::Features(session.clients.features()),
            LoadTarget::Scores => Self::Scores(session.clients.scoring()),
            LoadTarget::Lists => Self::Lists(session.clients.lists()),
        }
    }

    async fn call(&mut self, sirens: Vec<String>) -> Result<Good, Status> {
        match self {
            Self::Features(client) => {
                let reply = client.batch_get_features(BatchGetFeaturesRequest { sirens, names: Vec::new() }).await?.into_inner();
                let missing = reply.vectors.iter().filter(|vector| vector.values.is_empty()).count() as u64;
                Ok(Good { missing, stale: reply.stale })
            }
            Self::Scores(client) if sirens.len() == 1 => {
                let siren = sirens.into_iter().next().unwrap_or_default();
                let score = client.score_company(ScoreCompanyRequest { siren }).await?.into_inner().score;
                Ok(Good { missing: u64::from(score.is_none()), stale: score.is_some_and(|score| score.stale) })
            }
            Self::Lists(client) => {
                // Which department is as scattered as the companies are.
                let number: usize = sirens.first().and_then(|siren| siren.parse().ok()).unwrap_or_default();
                let department = Department::all().nth(number % Department::all().len()).map(|it| it.code().to_owned());
                let filter = RankedListFilter { departments: department.into_iter().collect(), ..Default::default() };
                let request = GetRankedListRequest { structured_filter: Some(filter), ..Default::default() };
                let page = client.get_ranked_list(request).await?.into_inner();
                Ok(Good { missing: 0, stale: page.list.is_some_and(|list| list.stale) })
            }
            Self::Scores(client) => {
                let reply = client.batch_score_companies(BatchScoreCompaniesRequest { sirens }).await?.into_inner();
                let mut good = Good::default();
                for result in reply.results {
                    match result.result {
                        Some(score_result::Result::Score(score)) => good.stale |= score.stale,
                        _ => good.missing += 1,
                    }
                }
                Ok(good)
            }
        }
    }
}

fn report(answers: Vec<Answer>, arguments: &Load, elapsed: Duration) -> Output {
    let (mut latencies, mut errors, mut missing, mut stale) = (Vec::with_capacity(answers.len()), 0, 0, 0);
    let mut failures: Vec<String> = Vec::new();
    for answer in answers {
        latencies.push(answer.latency.as_secs_f64() * 1e3);
        match answer.outcome {
            Ok(good) => (missing, stale) = (missing + good.missing, stale + u64::from(good.stale)),
            Err(status) => {
                errors += 1;
                let causes = std::iter::successors(status.source(), |&error| error.source());
                let text = causes.fold(format!("{:?}: {}", status.code(), status.message()), |text, cause| format!("{text}: {cause}"));
                if failures.len() < 3 && !failures.contains(&text) {
                    failures.push(text);
                }
            }
        }
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies.get(((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1))).copied();
    let [p50, p90, p99, p999, worst] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| at(share).unwrap_or(f64::NAN));
    let requests = latencies.len() as u64;
    let achieved = requests as f64 / elapsed.as_secs_f64();
    let header = ["#requests", "#per second", "#errors", "#missing", "#stale", "#p50 ms", "#p90 ms", "#p99 ms", "#p99.9 ms", "#max ms"];
    let counts = [count(requests), number(achieved, 0), count(errors), count(missing), count(stale)];
    let times = [p50, p90, p99, p999, worst].map(|time| number(time, 3));
    let json = json!({
        "companies": arguments.companies, "rate": arguments.rate, "requests": requests, "per_second": achieved, "errors": errors,
        "failures": failures, "missing": missing, "stale": stale, "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "p999_ms": p999, "max_ms": worst,
    });
    let mut output = Output::new(&header, vec![counts.into_iter().chain(times).collect()], json);
    output.notes = failures;
    output
}
