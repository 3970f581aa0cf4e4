//! What follows a request from service to service: its trace (W3C Trace Context), and until when its caller waits (`grpc-timeout`).

use std::time::{Duration, Instant};

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::global;
use opentelemetry::propagation::{Extractor, Injector};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TIMEOUT: &str = "grpc-timeout";

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs the answer to a request: what it asks of other services ends when its caller no longer waits.
pub async fn within<F: Future>(deadline: Option<Instant>, answer: F) -> F::Output {
    match deadline {
        Some(deadline) => DEADLINE.scope(deadline, answer).await,
        None => answer.await,
    }
}

/// Until when the caller of the request that is being answered waits, if it said so.
pub fn current() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// Until when the caller of the request with these headers waits, if it says so.
pub fn deadline(headers: &HeaderMap) -> Option<Instant> {
    Instant::now().checked_add(parse(headers.get(TIMEOUT)?.to_str().ok()?)?)
}

/// Digits and a unit, as the gRPC protocol has it.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3_600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

fn render(left: Duration) -> String {
    match left.as_micros() {
        micros @ ..100_000_000 => format!("{micros}u"),
        _ => format!("{}m", left.as_millis().min(99_999_999)),
    }
}

/// Adds to a request what the one that it serves came with: the rest of its time, unless the request has less, and its trace.
pub fn pass_on(headers: &mut HeaderMap, span: &Span) {
    if let Some(deadline) = current() {
        let left = deadline.saturating_duration_since(Instant::now());
        let own = headers.get(TIMEOUT).and_then(|value| parse(value.to_str().ok()?));
        if own.is_none_or(|own| left < own)
            && let Ok(value) = HeaderValue::try_from(render(left))
        {
            headers.insert(TIMEOUT, value);
        }
    }
    if !span.is_disabled() {
        global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut Headers(headers)));
    }
}

/// Makes a span the child of the one that the headers name, where spans are exported.
pub fn follow(headers: &mut HeaderMap, span: &Span) {
    if span.is_disabled() {
        return;
    }
    let context = global::get_text_map_propagator(|propagator| propagator.extract(&Headers(headers)));
    // Without a layer that exports traces there is nothing to follow.
    let _unexported = span.set_parent(context);
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(headers: &HeaderMap) -> Option<Duration> {
        parse(headers.get(TIMEOUT)?.to_str().unwrap())
    }

    #[test]
    fn timeouts_are_read_and_written() {
        for (text, expected) in [("2S", 2_000), ("1500m", 1_500), ("1M", 60_000), ("2H", 7_200_000), ("7000u", 7)] {
            assert_eq!(parse(text), Some(Duration::from_millis(expected)), "{text}");
        }
        for wrong in ["", "S", "2", "-2S", "2s", "123456789S", "2é"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for millis in [0, 1, 99_000, 5_000_000] {
            assert_eq!(parse(&render(Duration::from_millis(millis))), Some(Duration::from_millis(millis)));
        }
    }

    #[tokio::test]
    async fn a_request_has_no_more_time_than_the_one_it_serves() {
        let second = Instant::now() + Duration::from_secs(1);
        within(Some(second), async {
            let mut headers = HeaderMap::new();
            pass_on(&mut headers, &Span::none());
            assert!(timeout(&headers).is_some_and(|left| left <= Duration::from_secs(1) && left > Duration::from_millis(500)));
            headers.insert(TIMEOUT, HeaderValue::from_static("10m"));
            pass_on(&mut headers, &Span::none());
            assert_eq!(timeout(&headers), Some(Duration::from_millis(10)));
        })
        .await;
        let mut headers = HeaderMap::new();
        within(None, async { pass_on(&mut headers, &Span::none()) }).await;
        assert_eq!(timeout(&headers), None);
    }
}
