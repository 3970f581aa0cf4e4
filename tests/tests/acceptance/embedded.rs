//! The laptop: one command from a delivery to a list, without any server.

use acceptance::sf::Sf;
use tempfile::tempdir;

#[test]
fn a_delivery_becomes_a_list_and_a_second_run_changes_nothing() {
    let folder = tempdir().unwrap();
    let delivery = Sf::delivery(folder.path(), 400);
    let sf = Sf::embedded(&folder.path().join("data"));
    let delivery = delivery.to_str().unwrap();

    sf.ok(&["run", delivery, "--batch", "2511"]);
    let first = folder.path().join("first.csv");
    sf.ok(&["lists", "export", "latest", "--out", first.to_str().unwrap()]);
    let lists = sf.json(&["lists", "show", "latest", "--limit", "500"]);
    let entries = lists["entries"].as_array().unwrap();
    assert!(entries.len() > 100, "{} entries", entries.len());
    let probabilities: Vec<f64> = entries.iter().map(|entry| entry["probability"].as_f64().unwrap()).collect();
    assert!(probabilities.windows(2).all(|pair| pair[0] >= pair[1]));
    assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));

    // The same delivery again: same tables, same features, same list.
    sf.ok(&["run", delivery, "--batch", "2511"]);
    let second = folder.path().join("second.csv");
    sf.ok(&["lists", "export", "latest", "--out", second.to_str().unwrap()]);
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());

    // What the champion learnt from is what the latest month is compared with.
    let drift = sf.json(&["features", "drift"]);
    assert!(drift["reference_month"].as_str().unwrap() < drift["reference_to_month"].as_str().unwrap(), "{drift}");

    // A challenger scores beside the champion, and changes nothing that agents see.
    let challenger = sf.json(&["train", "--batch", "2511", "--parameter", "seed=9", "--parameter", "rounds=20"]);
    sf.ok(&["models", "shadow", challenger["id"].as_str().unwrap()]);
    assert_eq!(sf.json(&["models", "show", challenger["id"].as_str().unwrap()])["state"], "challenger");
    let built = sf.json(&["score", "--batch", "2511"]);
    let shadow = &built["lists"][0]["shadow"];
    assert_eq!((&shadow["model_id"], &shadow["companies"]), (&challenger["id"], &built["lists"][0]["companies"]), "{built}");
    assert!(shadow["rank_correlation"].as_f64().unwrap() > 0.5, "{shadow}");
    let third = folder.path().join("third.csv");
    sf.ok(&["lists", "export", "latest", "--out", third.to_str().unwrap()]);
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&third).unwrap());
    sf.ok(&["models", "shadow"]);

    // The list and the score of a company agree, and an explanation adds up.
    let top = &entries[0];
    let siren = top["siren"].as_str().unwrap();
    let explained = sf.json(&["score", siren, "--explain"]);
    let explained = if explained.is_array() { &explained[0] } else { &explained };
    let probability = explained["score"]["probability"].as_f64().unwrap();
    assert!((probability - top["probability"].as_f64().unwrap()).abs() < 1e-12);
    let end = |name: &str| explained["score"][name].as_f64().unwrap();
    assert!(end("probability_low") <= probability && probability <= end("probability_high"));
    let points: f64 = explained["groups"].as_array().unwrap().iter().map(|group| group["percentage_points"].as_f64().unwrap()).sum();
    let base = explained["base_percentage_points"].as_f64().unwrap();
    assert!((points + base - 100.0 * probability).abs() < 1e-6, "{points} + {base} != 100 × {probability}");
}
