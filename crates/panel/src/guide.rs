//! The page `docs/features.md`, made from the catalogue so that it cannot be out of date.

use std::fmt::Write;

use crate::catalogue::Catalogue;

/// The page.
pub fn markdown(catalogue: &Catalogue) -> String {
    let mut page = format!(
        "# The features\n\nMade from the catalogue (`crates/panel/src/catalogue`): a test compares the two. {} features, each of a month and as it could be known at the end\nof that month; null when unknown. *Window*: months read, the current one included. *Risk*: `+` when more means more risk, `-` when less does;\nthe models are constrained to follow. *Since*: version of the catalogue.\n",
        catalogue.features().len()
    );
    for group in catalogue.groups() {
        let _ = write!(
            page,
            "\n## {} (`{}`)\n\n| feature | label | formula | unit | window | sources | who may see | risk | null when | since |\n|---|---|---|---|---|---|---|---|---|---|\n",
            group.label_fr, group.name
        );
        for feature in catalogue.features().iter().filter(|feature| feature.group == group.name) {
            let risk = ["-", "", "+"][usize::from((feature.monotone + 1).unsigned_abs())];
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} | {} | {} | {risk} | {} | {} |",
                feature.name,
                feature.label_fr,
                feature.formula,
                feature.unit.name(),
                feature.window(),
                feature.source.replace('+', ", "),
                feature.confidentiality.name(),
                feature.missing,
                feature.since
            );
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_that_of_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/features.md");
        let expected = markdown(&Catalogue::builtin().unwrap());
        if std::env::var_os("SF_UPDATE_DOCS").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == expected, "docs/features.md is not what the catalogue says: run the tests with SF_UPDATE_DOCS=1");
    }
}
