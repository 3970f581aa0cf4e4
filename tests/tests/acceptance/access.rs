//! Agents with tokens of an identity provider: who reads what, through the programs as they run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use acceptance::program;
use acceptance::sf::Sf;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tempfile::tempdir;

const ISSUER: &str = "https://id.example/realms/sf";

/// An identity provider: its key, and the file of its public keys.
struct Provider(EncodingKey);

impl Provider {
    fn new(folder: &Path) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let x = BASE64_URL_SAFE_NO_PAD.encode(public.public_key().as_ref());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
        std::fs::write(folder.join("jwks.json"), keys.to_string()).unwrap();
        let config = format!("[auth]\nissuer = '{ISSUER}'\naudience = 'sf'\njwks = '{}'\n", folder.join("jwks.json").display());
        std::fs::write(folder.join("config.toml"), config).unwrap();
        Self(EncodingKey::from_ed_der(pkcs8.as_ref()))
    }

    fn token(&self, roles: &[&str]) -> String {
        let expiry = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
        let claims = json!({
            "iss": ISSUER, "aud": "sf", "sub": "agent-1", "segment": "crp", "exp": expiry,
            "resource_access": { "signauxfaibles": { "roles": roles } },
        });
        encode(&Header { kid: Some("k".into()), ..Header::new(Algorithm::EdDSA) }, &claims, &self.0).unwrap()
    }
}

/// `sf up` on free ports; stopped when dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let (data, config) = (folder.join("data"), folder.join("config.toml"));
        let mut process = Command::new(program("sf"))
            .args(["--data", data.to_str().unwrap(), "--config", config.to_str().unwrap(), "up", "--listen", "127.0.0.1:0"])
            .env("SF_TELEMETRY__FORMAT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(process.stdout.take().unwrap()), Box::new(process.stderr.take().unwrap())];
        let (send, receive) = std::sync::mpsc::channel();
        for stream in lines {
            let send = send.clone();
            std::thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(send.send(line))));
        }
        drop(send);
        let listening =
            receive.iter().find_map(|line| serde_json::from_str::<Value>(&line).ok()?["fields"]["addr"].as_str().map(str::to_owned));
        Self { url: format!("http://{}", listening.expect("the server says where it listens")), process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _stopped = self.process.kill();
        let _ended = self.process.wait();
    }
}

#[test]
fn an_agent_reads_what_their_territory_and_rights_allow() {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), 1_000);
    let local = Sf::embedded(&folder.path().join("data"));
    local.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);
    let provider = Provider::new(folder.path());
    let server = Server::start(folder.path());
    let remote = Sf::remote(&server.url);
    let with = |roles: &[&str]| remote.clone().with_env("SF_TOKEN", &provider.token(roles));

    // The whole list, as the local user sees it, and a department that has several alerted companies.
    let everything = local.json(&["lists", "summary", "latest"]);
    let busiest = everything["departments"].as_array().unwrap().iter().filter(|part| part["code"] != "");
    let busiest =
        busiest.max_by_key(|part| part["counts"]["high"].as_u64().unwrap() + part["counts"]["moderate"].as_u64().unwrap()).unwrap();
    let department = busiest["code"].as_str().unwrap();
    let alerted = busiest["counts"]["high"].as_u64().unwrap() + busiest["counts"]["moderate"].as_u64().unwrap();
    assert!(alerted >= 2, "{everything}");

    // No token, and a token that cannot do it.
    let refused = remote.fails(&["lists", "show", "latest"]);
    assert!(refused.contains("SF-API-0006"), "{refused}");
    let refused = with(&[department, "urssaf"]).fails(&["lists", "show", "latest"]);
    assert!(refused.contains("SF-API-0007") && refused.contains("'score'"), "{refused}");
    for operator_only in [&["lists", "publish", "2511"][..], &["batches", "list"], &["models", "list"]] {
        let refused = with(&[department, "score", "France entière"]).fails(operator_only);
        assert!(refused.contains("SF-API-0007") && refused.contains("operator"), "{refused}");
    }

    // An agent sees the alerted companies of the department, and no debt without the right to it.
    let agent = with(&[department, "score", "detection"]);
    let page = agent.json(&["lists", "show", "latest", "--limit", "500"]);
    assert_eq!(page["total_size"].as_u64(), Some(alerted), "{page}");
    for entry in page["entries"].as_array().unwrap() {
        assert_eq!(entry["department"], department);
        assert!(entry["indicators"]["social_debt"].is_null() && entry["alert_level"] != "none", "{entry}");
        assert!(entry["withheld"].as_array().unwrap().contains(&json!("indicators.social_debt")), "{entry}");
        assert!(!entry["reasons"].to_string().contains("ette sociale"), "{entry}");
    }
    assert_eq!(agent.json(&["lists", "summary", "latest"])["total"]["companies"].as_u64(), Some(alerted));
    let refused = agent.fails(&["lists", "show", "latest", "--filter", "social_debt > 1"]);
    assert!(refused.contains("SF-API-0007") && refused.contains("urssaf"), "{refused}");
    let elsewhere = if department == "75" { "13" } else { "75" };
    let refused = agent.fails(&["lists", "show", "latest", "--department", elsewhere]);
    assert!(refused.contains("SF-LIS-0004") && refused.contains(elsewhere), "{refused}");
    let nobody = with(&["score"]).json(&["lists", "show", "latest"]);
    assert_eq!(nobody["total_size"], 0, "no territory is not the whole country");

    // With the right, the debt is there and can be asked for.
    let urssaf = with(&[department, "score", "detection", "urssaf"]);
    let page = urssaf.json(&["lists", "show", "latest", "--limit", "500", "--order-by", "social_debt desc"]);
    let debts: Vec<f64> =
        page["entries"].as_array().unwrap().iter().map(|entry| entry["indicators"]["social_debt"].as_f64().unwrap()).collect();
    assert!(debts.is_sorted_by(|a, b| a >= b) && debts[0] > 0.0, "{debts:?}");

    // Files hold the same rows.
    let file = folder.path().join("agent.csv");
    agent.ok(&["lists", "export", "latest", "--out", file.to_str().unwrap(), "--columns", "codefi"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count() as u64, alerted + 1);
    assert!(text.contains(";non communiqué;"), "{text}");
    assert!(agent.fails(&["lists", "propose", "latest"]).contains("urssaf"));
    urssaf.ok(&["lists", "propose", "latest", "--per-department", "1"]);

    // A service scores any company; an agent asks lists, and does not.
    let siren = page["entries"][0]["siren"].as_str().unwrap();
    assert!(agent.fails(&["score", siren]).contains("svc.score"));
    with(&["svc.score"]).ok(&["score", siren]);
}
