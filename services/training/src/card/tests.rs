//! The card of a report.

use super::*;
use crate::alarms::{Alarm, AlarmKind};
use crate::split::Protocol;
use crate::study::tests::report;

#[test]
fn the_page_stands_alone_is_honest_and_has_every_figure() {
    let mut report = report(Protocol::Holdout, 0.85, 0.004);
    report.alarms.push(Alarm { kind: AlarmKind::FeatureAlone, message: "'<state>' knows".into() });
    report.notes.push("Only 3 companies".into());
    let page = render("<m>", &report, None);
    assert!(page.contains("&lt;m&gt;") && page.contains(crate::report::CAUTION) && page.contains("&lt;state&gt;"));
    assert!(page.contains("Only 3 companies") && page.contains("collective procedure opens within 18 months"));
    assert!(page.contains("under ten employees") && page.contains("<h2>Intervals</h2>"));
    assert!(!page.contains("http") && !page.contains("src=") && !page.contains("<script"), "nothing is loaded from elsewhere");
    assert!(!page.contains("NaN") && !page.contains("inf"), "what is undefined is said in words");
    for plot in ["Precision and recall", "ROC", "Reliability", "How early", "Learning"] {
        assert!(page.contains(&format!("<figcaption>{plot}")), "{plot}");
    }
    assert_eq!(page, render("<m>", &report, None));
}

#[test]
fn rolling_origins_are_drawn_and_told_apart() {
    let mut report = report(Protocol::Rolling, 0.85, 0.004);
    let mut earlier = report.sections[0].clone();
    earlier.split.test.to = earlier.split.test.to.plus(-12);
    report.sections.push(earlier);
    let page = render("m", &report, None);
    assert!(page.contains("<h2>Rolling origins</h2>") && page.contains("AUC over 2 origins: mean 0.850, standard deviation 0.000."));
    for section in &report.sections {
        assert!(page.contains(&format!("rolling to {}", section.split.test.to)), "{}", section.title());
    }
}

#[test]
fn no_more_is_claimed_than_was_looked_at() {
    let page = render("m", &report(Protocol::Holdout, 0.85, 0.004), None);
    assert!(page.contains("No alarm: features were not looked at one by one") && page.contains("one protocol was measured"));
}

#[test]
fn a_file_of_others_is_not_said_to_be_about_companies() {
    let mut report = report(Protocol::Given, 0.85, 0.004);
    report.lineage.features_version = 0;
    let page = render("m", &report, None);
    assert!(page.contains("on a file") && !page.contains("collective procedure") && !page.contains("ten employees"));
}
