//! TLS on every port, certificates of services, tokens of people: who is let in, and who is not.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use acceptance::cluster::{Cluster, Setup};
use acceptance::identity::{AUDIENCE, ISSUER, Provider};
use acceptance::sf::Sf;
use online_store::testing::Redis;
use tempfile::tempdir;

const SERVICES: [&str; 4] = ["ingestion", "feature-store", "training", "scoring"];

/// Issues certificates with the script that operators try TLS with.
fn certificates(folder: &Path, names: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/certificates.sh");
    let status = Command::new(script).arg(folder).args(names).stderr(std::process::Stdio::null()).status().unwrap();
    assert!(status.success());
}

/// `sf` that shows this certificate of a folder.
fn showing(sf: Sf, authority: &Path, folder: &Path, name: &str) -> Sf {
    let path = |file: String| folder.join(file).display().to_string();
    sf.with_env("SF_TLS_AUTHORITIES", &authority.join("ca.pem").display().to_string())
        .with_env("SF_TLS_CERTIFICATE", &path(format!("{name}.pem")))
        .with_env("SF_TLS_KEY", &path(format!("{name}.key")))
}

/// A question for each service.
const QUESTIONS: [(&str, &[&str]); 4] = [
    ("ingestion", &["batches", "list"]),
    ("feature-store", &["features", "list"]),
    ("training", &["models", "list"]),
    ("scoring", &["lists", "list"]),
];

#[test]
fn every_port_asks_for_a_certificate_and_services_are_known_by_theirs() {
    let folder = tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    certificates(&ours, &["server", "scoring", "tool"]);
    certificates(&theirs, &["server", "tool"]);
    let provider = Provider::new(folder.path());
    let file = |name: &str| ours.join(name).display().to_string();
    let config = folder.path().join("config.toml");
    let identities = "[auth.certificates]\n\"spiffe://signaux-faibles/scoring\" = [\"svc.features\"]\n";
    let auth = format!("[auth]\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\njwks = '{}'\n{identities}", provider.jwks.display());
    std::fs::write(&config, auth).unwrap();
    let setup = Setup { https: true, config: Some(config), ..Setup::default() }
        .with("SF_SERVER__TLS__CERTIFICATE", file("server.pem"))
        .with("SF_SERVER__TLS__KEY", file("server.key"))
        .with("SF_SERVER__TLS__CLIENT_AUTHORITIES", file("ca.pem"))
        .with("SF_SERVER__TLS__RELOAD_SECONDS", "1")
        .with("SF_PEERS__TLS__AUTHORITIES", file("ca.pem"))
        .with("SF_PEERS__TLS__CERTIFICATE", file("scoring.pem"))
        .with("SF_PEERS__TLS__KEY", file("scoring.key"));
    let cluster = Cluster::start_with(folder.path(), setup);

    // Who runs the month need not see the list.
    let operator = provider.token("operator", &["operator"]);
    let month = showing(Sf::remote(&cluster.servers()).with_env("SF_TOKEN", &operator), &ours, &ours, "tool");
    let delivery = Sf::delivery(folder.path(), 400);
    month.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);
    assert!(month.ok(&["doctor"]).contains("SF-API-0007"), "the list is not for operators, and nothing is wrong with that");
    let everybody = provider.token("everybody", &["operator", "score", "France entière"]);
    let bare = Sf::remote(&cluster.servers()).with_env("SF_TOKEN", &everybody);
    let right = showing(bare.clone(), &ours, &ours, "tool");

    let trusting = bare.clone().with_env("SF_TLS_AUTHORITIES", &file("ca.pem"));
    let plain = Sf::remote(&cluster.servers().replace("https://", "http://")).with_env("SF_TOKEN", &everybody);
    for (service, question) in QUESTIONS {
        right.ok(question);
        for (sf, what) in [
            (&trusting, "without certificate"),
            (&showing(bare.clone(), &ours, &theirs, "tool"), "with a certificate of another authority"),
            (&showing(bare.clone(), &theirs, &theirs, "tool"), "that does not trust the server"),
            (&plain, "in plain text"),
        ] {
            let said = sf.fails(question);
            assert!(said.contains("SF-API-0005"), "{service}, a client {what}: {said}");
        }
    }

    tokens_are_checked(&cluster, &provider, &ours);
    // Scoring shows its certificate to the feature store, and no token: sheets have their series.
    let agent = provider.token("agent", &["score", "explain", "urssaf", "dgefp", "France entière"]);
    let agent = showing(Sf::remote(&cluster.servers()).with_env("SF_TOKEN", &agent), &ours, &ours, "tool");
    let shown = agent.json(&["lists", "show", "latest", "--limit", "1"]);
    let sheet = agent.json(&["companies", "show", shown["entries"][0]["siren"].as_str().unwrap()]);
    assert!(sheet["series"].as_array().unwrap().iter().any(|series| series["name"] == "headcount"), "{sheet}");
    assert_eq!(sheet["stale"], false, "{sheet}");

    // A new authority replaces the old one, in the files of running services.
    std::fs::remove_dir_all(&ours).unwrap();
    certificates(&ours, &["server", "scoring", "tool"]);
    std::thread::sleep(Duration::from_secs(3));
    for (service, question) in QUESTIONS {
        assert!(!right.ok(question).is_empty(), "{service}");
    }
    assert!(cluster.metrics("scoring").contains("sf_tls_certificate_end_seconds"));
}

#[test]
fn vectors_go_to_a_redis_that_speaks_tls_if_it_is_the_right_one() {
    let folder = tempdir().unwrap();
    certificates(folder.path(), &["redis"]);
    let file = |name: &str| folder.path().join(name);
    let redis = Redis::start_with_tls(&file("redis.pem"), &file("redis.key"));
    let sf = Sf::embedded(&file("data")).with_env("SF_ONLINE__REDIS_URL", &redis.url());
    let trusting = sf.clone().with_env("SSL_CERT_FILE", &file("ca.pem").display().to_string());
    let said = |sf: &Sf| {
        let checks: serde_json::Value = serde_json::from_slice(&sf.output(&["--format", "json", "doctor"]).stdout).unwrap();
        let redis = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == "Redis").unwrap().clone();
        (redis["verdict"].as_str().unwrap().to_owned(), redis["detail"].to_string())
    };
    assert_eq!(said(&trusting).0, "WARN", "it is empty");
    let delivery = Sf::delivery(folder.path(), 200);
    trusting.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2511"]);
    trusting.ok(&["features", "build", "--batch", "2511"]);
    let (verdict, detail) = said(&trusting);
    assert!(verdict == "OK" && detail.contains("generation"), "{verdict} {detail}");
    let (verdict, detail) = said(&sf);
    assert!(verdict == "FAIL" && detail.contains("certificate"), "of an unknown authority: {verdict} {detail}");
}

fn tokens_are_checked(cluster: &Cluster, provider: &Provider, ours: &Path) {
    let with = |token: &str| showing(Sf::remote(&cluster.servers()).with_env("SF_TOKEN", token), ours, ours, "tool");
    let changed = |change: &dyn Fn(&mut serde_json::Value)| provider.token_with("operator", &["operator"], |claims| change(claims));
    let other = tempdir().unwrap();
    let unsigned = {
        let signed = provider.token("operator", &["operator"]);
        // {"alg":"none","kid":"k"}
        format!("eyJhbGciOiJub25lIiwia2lkIjoiayJ9.{}.", signed.split('.').nth(1).unwrap())
    };
    for (token, what) in [
        (Provider::new(other.path()).token("operator", &["operator"]), "signed by another key"),
        (changed(&|claims| claims["iss"] = "https://id.example/realms/other".into()), "of another issuer"),
        (changed(&|claims| claims["aud"] = "other".into()), "for another audience"),
        (changed(&|claims| claims["exp"] = 1_000_000.into()), "that expired"),
        (changed(&|claims| claims["nbf"] = 9_999_999_999u64.into()), "that does not hold yet"),
        (unsigned, "without signature"),
        (String::new(), "that is not there"),
    ] {
        for (service, question) in QUESTIONS {
            let said = with(&token).fails(question);
            assert!(said.contains("SF-API-0006"), "{service}, a token {what}: {said}");
        }
    }
    let agent = with(&provider.token("agent", &["score", "69"]));
    assert!(agent.fails(&["models", "list"]).contains("SF-API-0007"), "an agent is no operator");
    for service in SERVICES {
        assert!(!cluster.metrics(service).is_empty());
    }
}
