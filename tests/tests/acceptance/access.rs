//! Agents with tokens of an identity provider: who reads what, through the programs as they run.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use acceptance::identity::{AUDIENCE, ISSUER, Provider};
use acceptance::program;
use acceptance::sf::Sf;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// An identity provider, and the configuration that names it.
fn provider(folder: &Path) -> Provider {
    let provider = Provider::new(folder);
    let config = format!("[auth]\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\njwks = '{}'\n", provider.jwks.display());
    std::fs::write(folder.join("config.toml"), config).unwrap();
    provider
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

/// A published list, and services that ask for tokens.
struct World {
    folder: TempDir,
    provider: Provider,
    server: Server,
    /// The whole list, as the local user sees it.
    entries: Vec<Value>,
}

impl World {
    fn new() -> Self {
        let folder = tempdir().unwrap();
        let delivery = Sf::delivery(folder.path(), 1_000);
        let local = Sf::embedded(&folder.path().join("data"));
        local.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);
        let entries = local.json(&["lists", "show", "latest", "--limit", "1000"])["entries"].as_array().unwrap().clone();
        let provider = provider(folder.path());
        let server = Server::start(folder.path());
        Self { folder, provider, server, entries }
    }

    fn with(&self, subject: &str, roles: &[&str]) -> Sf {
        Sf::remote(&self.server.url).with_env("SF_TOKEN", &self.provider.token(subject, roles))
    }

    fn alerted(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().filter(|entry| entry["alert_level"] != "none" && entry["department"] != "")
    }
}

#[test]
fn agents_see_what_is_theirs_and_everything_is_on_record() {
    let mut world = World::new();
    an_agent_reads_what_their_territory_and_rights_allow(&world);
    what_is_beyond_the_territory_is_opened_with_a_motive_and_everything_is_on_record(&mut world);
}

fn an_agent_reads_what_their_territory_and_rights_allow(world: &World) {
    let with = |roles: &[&str]| world.with("agent-0", roles);
    // The agent works where alerted companies are, but for one department.
    let department = |entry: &Value| entry["department"].as_str().unwrap().to_owned();
    let mut territory: BTreeSet<String> = world.alerted().map(department).collect();
    let elsewhere = territory.pop_first().unwrap();
    let alerted = world.alerted().filter(|entry| territory.contains(&department(entry))).count() as u64;
    assert!(alerted >= 2, "{territory:?}");
    let here = |rights: &[&str]| {
        let roles: Vec<&str> = territory.iter().map(String::as_str).chain(rights.iter().copied()).collect();
        with(&roles)
    };

    // No token, and a token that cannot do it.
    let refused = Sf::remote(&world.server.url).fails(&["lists", "show", "latest"]);
    assert!(refused.contains("SF-API-0006"), "{refused}");
    let refused = here(&["urssaf"]).fails(&["lists", "show", "latest"]);
    assert!(refused.contains("SF-API-0007") && refused.contains("'score'"), "{refused}");
    for operator_only in [&["lists", "publish", "2511"][..], &["batches", "list"], &["models", "list"]] {
        let refused = here(&["score", "France entière"]).fails(operator_only);
        assert!(refused.contains("SF-API-0007") && refused.contains("operator"), "{refused}");
    }

    // An agent sees the alerted companies of the territory, and no debt without the right to it.
    let agent = here(&["score", "detection"]);
    let page = agent.json(&["lists", "show", "latest", "--limit", "500"]);
    assert_eq!(page["total_size"].as_u64(), Some(alerted), "{page}");
    for entry in page["entries"].as_array().unwrap() {
        assert!(territory.contains(&department(entry)), "{entry}");
        assert!(entry["indicators"]["social_debt"].is_null() && entry["alert_level"] != "none", "{entry}");
        assert!(entry["withheld"].as_array().unwrap().contains(&json!("indicators.social_debt")), "{entry}");
        assert!(!entry["reasons"].to_string().contains("ette sociale"), "{entry}");
    }
    assert_eq!(agent.json(&["lists", "summary", "latest"])["total"]["companies"].as_u64(), Some(alerted));
    let refused = agent.fails(&["lists", "show", "latest", "--filter", "social_debt > 1"]);
    assert!(refused.contains("SF-API-0007") && refused.contains("urssaf"), "{refused}");
    let refused = agent.fails(&["lists", "show", "latest", "--department", &elsewhere]);
    assert!(refused.contains("SF-LIS-0004") && refused.contains(&elsewhere), "{refused}");
    let nobody = with(&["score"]).json(&["lists", "show", "latest"]);
    assert_eq!(nobody["total_size"], 0, "no territory is not the whole country");

    // With the right, the debt is there and can be asked for.
    let urssaf = here(&["score", "detection", "urssaf"]);
    let page = urssaf.json(&["lists", "show", "latest", "--limit", "500", "--order-by", "social_debt desc"]);
    let debts: Vec<f64> =
        page["entries"].as_array().unwrap().iter().map(|entry| entry["indicators"]["social_debt"].as_f64().unwrap()).collect();
    assert!(debts.is_sorted_by(|a, b| a >= b) && debts[0] > 0.0, "{debts:?}");

    // Files hold the same rows.
    let file = world.folder.path().join("agent.csv");
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

fn what_is_beyond_the_territory_is_opened_with_a_motive_and_everything_is_on_record(world: &mut World) {
    let here = world.alerted().next().unwrap().clone();
    let there = world.alerted().find(|entry| entry["department"] != here["department"]).unwrap().clone();
    let quiet =
        world.entries.iter().find(|entry| entry["alert_level"] == "none" && entry["department"] == here["department"]).unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (department, near, far) = (text(&here["department"]), text(&here["siren"]), text(&there["siren"]));
    let roles = [department.as_str(), "score", "detection", "urssaf"];
    let agent = world.with("agent-1", &roles);
    let show = |sf: &Sf, siren: &str| sf.json(&["companies", "show", siren]);

    // Who a company is, is public; its debts and its scores are not.
    let own = show(&agent, &near);
    assert_eq!((&own["access"]["visible"], &own["scores"][0]["list"]), (&json!(true), &json!("2511")), "{own}");
    let months = own["months"].as_array().unwrap().len();
    assert!(own["series"].as_array().unwrap().iter().all(|series| series["values"].as_array().unwrap().len() == months), "{own}");
    let closed = show(&agent, &far);
    assert_eq!(closed["company"]["name"], there["name"]);
    assert_eq!((&closed["scores"], &closed["access"]["visible"]), (&json!([]), &json!(false)), "{closed}");
    assert!(closed["access"]["withheld"].to_string().contains("series.debt_employee"), "{closed}");
    let found = agent.json(&["companies", "search", &text(&there["name"])]);
    assert!(found.as_array().unwrap().iter().any(|company| company["siren"] == there["siren"]), "{found}");

    // A follow elsewhere needs a comment, is the agent's own, and ends when they say so.
    let follow = ["companies", "follow", &far, "--reason", "other", "--comment"];
    let refused = agent.fails(&[&follow[..], &["short"]].concat());
    assert!(refused.contains("SF-COM-0001"), "{refused}");
    agent.ok(&[&follow[..], &["asked by the prefect"]].concat());
    let open = show(&agent, &far);
    assert!(open["access"]["followed"] == true && open["access"]["until"].is_string() && open["scores"][0]["list"] == "2511", "{open}");
    let page = agent.json(&["lists", "show", "latest", "--filter", "followed = true"]);
    assert_eq!((&page["total_size"], &page["entries"][0]["siren"]), (&json!(1), &there["siren"]), "{page}");
    assert_eq!(show(&world.with("agent-2", &roles), &far)["scores"], json!([]));
    agent.ok(&["companies", "unfollow", &far, "--outcome", "no-action"]);
    assert_eq!(show(&agent, &far)["scores"], json!([]));
    agent.ok(&["companies", "break-glass", &far, "--motive", "fire at the plant"]);
    let open = show(&agent, &far);
    assert!(open["access"]["break_glass"] == true && open["scores"][0]["list"] == "2511", "{open}");

    // Ratings: one an agent, of detections that they see.
    let useless = |siren: &str, reason: &str| ["feedback", "rate", siren, "--useless", "--reason", reason].map(str::to_owned);
    let rate = |sf: &Sf, arguments: &[String]| sf.json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let refuse = |sf: &Sf, arguments: &[String]| sf.fails(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    rate(&agent, &useless(&near, "GROUPE"));
    rate(&agent, &useless(&near, "GROUPE"));
    assert!(refuse(&agent, &useless(&near, "SAINE")).contains("SF-COM-0003"));
    assert!(refuse(&agent, &useless(&text(&quiet["siren"]), "SAINE")).contains("SF-COM-0004"));
    assert!(refuse(&world.with("agent-2", &roles), &useless(&far, "SAINE")).contains("SF-COM-0004"));
    let operator = world.with("operator-1", &["operator"]);
    let file = world.folder.path().join("ratings.csv");
    operator.ok(&["feedback", "export", "--out", file.to_str().unwrap()]);
    let ratings = std::fs::read_to_string(&file).unwrap();
    assert_eq!(ratings.lines().skip(1).collect::<Vec<_>>(), [format!("{near},2024-11,2025-10,0")]);
    let exported = world.folder.path().join("list.csv");
    agent.ok(&["lists", "export", "latest", "--out", exported.to_str().unwrap()]);
    assert!(agent.fails(&["audit"]).contains("SF-API-0007"));

    // The server is killed: what had to be on record is.
    world.server = Server::start(world.folder.path());
    let records = world.with("operator-1", &["operator"]).json(&["audit", "--subject", "agent-1"]);
    let of = |method: &str| {
        records.as_array().unwrap().iter().filter(|record| record["method"].as_str().unwrap().ends_with(method)).collect::<Vec<_>>()
    };
    assert_eq!(of("/BreakGlass")[0]["question"], "fire at the plant");
    assert_eq!(of("/BreakGlass")[0]["sirens"], json!([far]));
    assert_eq!(of("/FollowCompany").iter().map(|record| record["outcome"].as_str().unwrap()).collect::<Vec<_>>(), ["SF-COM-0001", "ok"]);
    assert_eq!((of("/ExportList").len(), of("/UnfollowCompany").len()), (1, 1), "{records}");
    assert_eq!(of("/ExportList")[0]["list"], "2511");
    assert!(!records.to_string().contains("Bearer") && !records.to_string().contains("eyJ"), "no token is kept");
}
