//! Companies by name or number, among those of a list.

use domain::Siren;

use crate::list::facts::folded;
use crate::list::store::List;

/// Characters of a question, at least.
pub const SHORTEST: usize = 3;
/// Characters of a question, at most.
pub const LONGEST: usize = 200;
/// Matches are counted up to so many.
pub const COUNTED: usize = 1_000;

/// How well a company matches: the less the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    /// The whole name, or the whole number.
    Whole,
    /// The beginning of the name or number.
    Start,
    /// The beginning of a word of the name.
    Word,
}

/// Positions of the companies that match, best first, then by name and SIREN; and how many there are.
pub fn search(list: &List, question: &str, most: usize) -> (Vec<usize>, usize) {
    let question = folded(question.trim());
    let digits: String = question.chars().filter(|character| !character.is_whitespace()).collect();
    let number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let mut found: Vec<(Match, &str, Siren, usize)> = Vec::new();
    for (position, name) in list.names.iter().enumerate() {
        let matched = if number { by_number(list, position, &digits) } else { None };
        let Some(matched) = matched.or_else(|| by_name(name, &question)) else { continue };
        found.push((matched, name, list.facts[position].siren, position));
    }
    let total = found.len().min(COUNTED);
    let kept = most.min(found.len());
    if kept > 0 && kept < found.len() {
        found.select_nth_unstable(kept - 1);
        found.truncate(kept);
    }
    found.sort_unstable();
    (found.into_iter().map(|(.., position)| position).collect(), total)
}

fn by_number(list: &List, position: usize, digits: &str) -> Option<Match> {
    let siren = list.facts[position].siren.to_string();
    let siret = list.entries[position].siret.map(|siret| siret.to_string());
    if siren == digits || siret.as_deref() == Some(digits) {
        return Some(Match::Whole);
    }
    // The SIRET of another establishment begins with the SIREN of its company.
    let establishment = digits.len() == 14 && digits.starts_with(&siren);
    (establishment || siren.starts_with(digits) || siret.is_some_and(|siret| siret.starts_with(digits))).then_some(Match::Start)
}

fn by_name(name: &str, question: &str) -> Option<Match> {
    let mut places = name.match_indices(question).map(|(at, _)| at);
    let first = places.next()?;
    let begins = |at: usize| name[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
    if first == 0 {
        return Some(if name.len() == question.len() { Match::Whole } else { Match::Start });
    }
    std::iter::once(first).chain(places).any(begins).then_some(Match::Word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::tests::{entry, info};

    #[test]
    fn whole_names_come_first_then_beginnings_then_words() {
        let names = ["Menuiserie Éclair", "Éclair", "Éclairage du Nord", "Beclair", "L'Éclair", "Nord"];
        let mut entries: Vec<_> = (0..names.len() as u32).map(|number| entry(number + 1, "21", 0.5)).collect();
        for (entry, name) in entries.iter_mut().zip(names) {
            entry.name = name.to_owned();
        }
        entries[5].siret = "00000000600017".parse().ok();
        let list = List::new(info(), entries);
        let found = |question: &str| search(&list, question, 10).0.iter().map(|at| names[*at]).collect::<Vec<_>>();
        assert_eq!(found("ÉCLAIR"), ["Éclair", "Éclairage du Nord", "L'Éclair", "Menuiserie Éclair"]);
        assert_eq!(found(" eclair"), found("ÉCLAIR"));
        assert_eq!(found("nord"), ["Nord", "Éclairage du Nord"]);
        assert_eq!(found("000000006"), ["Nord"]);
        assert_eq!(found("000 000 006"), ["Nord"]);
        assert_eq!(found("00000000600099"), ["Nord"], "another establishment of the company");
        assert_eq!(found("00000000").len(), 6);
        assert!(found("zzz").is_empty());
        assert_eq!(search(&list, "éclair", 2), (vec![1, 2], 4));
    }
}
