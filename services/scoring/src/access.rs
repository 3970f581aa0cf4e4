//! What a caller may see of a company: one pure function, used by rows, fields, filters, sorts, exports and counts.
//!
//! The rule is that of the existing system (`domain/consumers.md` §3.2): who works where the company has an establishment
//! sees what their scopes allow once it was alerted, and who follows it sees it wherever it is.

use domain::{Department, DepartmentSet};
use panel::catalogue::{Confidentiality, Feature};
use service_kit::auth::{Principal, Right, Rights};

/// What a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Company {
    /// Departments of all its establishments, open or closed.
    pub departments: DepartmentSet,
    /// Whether any list ever alerted it.
    pub ever_alerted: bool,
    /// Whether the caller follows it, by a grant that has not expired.
    pub followed: bool,
}

/// What may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The caller's territory has an establishment of the company.
    pub visible: bool,
    /// The establishment looked at is in the caller's territory.
    pub in_territory: bool,
    /// Rights that hold for this company; none when it is closed to the caller.
    pub rights: Rights,
}

/// Decides. `establishment` is the department of the establishment looked at.
pub fn decide(principal: &Principal, company: Company, establishment: Option<Department>) -> Decision {
    let visible = company.departments.intersects(principal.territories);
    let open = (visible && company.ever_alerted) || company.followed;
    Decision {
        visible,
        in_territory: establishment.is_some_and(|department| principal.territories.contains(department)),
        rights: if open { principal.rights } else { Rights::NONE },
    }
}

/// Whether rights open a feature, or the reason made of it, that needs `right` beyond those of explanations.
pub fn explains(rights: Rights, right: Option<Right>) -> bool {
    rights.has(Right::Explain) && right.is_none_or(|right| rights.has(right))
}

/// The right that a feature needs beyond that of the score, if any. `ratios_inpi_bce` holds published accounts only, so what
/// is made of it is public; other accounts are not, even where the company published some.
pub fn right_of(feature: &Feature) -> Option<Right> {
    match feature.confidentiality {
        Confidentiality::Public => None,
        Confidentiality::PublicIfPublished if feature.source.split('+').any(|source| source == "ratios_inpi_bce") => None,
        Confidentiality::PublicIfPublished => Some(Right::Bdf),
        Confidentiality::Urssaf => Some(Right::Urssaf),
        Confidentiality::Dgefp => Some(Right::Dgefp),
    }
}

#[cfg(test)]
mod tests {
    use panel::Catalogue;

    use super::*;

    const DATA: [Right; 5] = [Right::Score, Right::Urssaf, Right::Dgefp, Right::Bdf, Right::Pge];

    fn set(codes: &[&str]) -> DepartmentSet {
        codes.iter().map(|code| code.parse::<Department>().unwrap()).collect()
    }

    /// The ten vectors of `domain/consumers.md` §3.2, in their order: roles | departments | ever alerted | department looked
    /// at | followed → visible, in the territory, score, urssaf, dgefp, bdf, pge.
    #[test]
    fn the_vectors_of_the_existing_system() {
        use Right::{Bdf, Dgefp, Pge, Score, Urssaf};
        type Case<'a> = (&'a [&'a str], &'a [Right], &'a [&'a str], bool, &'a str, bool, [u8; 7]);
        let three = ["01", "02", "03"];
        let cases: [Case<'_>; 10] = [
            (&["01"], &DATA, &three, true, "02", false, [1, 0, 1, 1, 1, 1, 1]),
            (&["05"], &DATA, &three, true, "02", false, [0, 0, 0, 0, 0, 0, 0]),
            (&["01", "02"], &[Score], &["02"], true, "02", false, [1, 1, 1, 0, 0, 0, 0]),
            (&["01", "02"], &[Urssaf], &["02"], true, "02", false, [1, 1, 0, 1, 0, 0, 0]),
            (&["01", "02"], &[Pge], &["02"], true, "02", false, [1, 1, 0, 0, 0, 0, 1]),
            (&["01", "02"], &[Dgefp], &["02"], true, "02", false, [1, 1, 0, 0, 1, 0, 0]),
            (&["01", "02"], &[Bdf], &["02"], true, "02", false, [1, 1, 0, 0, 0, 1, 0]),
            (&["02"], &[Urssaf, Score, Dgefp, Bdf], &three, false, "02", false, [1, 1, 0, 0, 0, 0, 0]),
            (&["02"], &[Urssaf, Score, Dgefp, Bdf], &["05"], true, "05", true, [0, 0, 1, 1, 1, 1, 0]),
            (&["02"], &[Urssaf, Score, Dgefp, Bdf], &["05"], false, "05", true, [0, 0, 1, 1, 1, 1, 0]),
        ];
        for (number, (territories, rights, departments, ever_alerted, department, followed, expected)) in cases.into_iter().enumerate() {
            let principal = Principal {
                subject: "u".into(),
                segment: String::new(),
                territories: set(territories),
                rights: rights.iter().copied().collect(),
            };
            let company = Company { departments: set(departments), ever_alerted, followed };
            let decision = decide(&principal, company, Some(department.parse().unwrap()));
            let seen = DATA.map(|right| u8::from(decision.rights.has(right)));
            let found = [u8::from(decision.visible), u8::from(decision.in_territory), seen[0], seen[1], seen[2], seen[3], seen[4]];
            assert_eq!(found, expected, "vector {}", number + 1);
        }
    }

    /// Every combination of visible, ever alerted and followed.
    #[test]
    fn rights_hold_where_the_company_is_visible_and_alerted_or_followed() {
        let principal = Principal { territories: set(&["21"]), ..Principal::local() };
        for bits in 0..8u8 {
            let [visible, ever_alerted, followed] = [1, 2, 4].map(|bit| bits & bit != 0);
            let company = Company { departments: set(if visible { &["21", "75"] } else { &["75"] }), ever_alerted, followed };
            let rights = decide(&principal, company, None).rights;
            let expected = if (visible && ever_alerted) || followed { principal.rights } else { Rights::NONE };
            assert_eq!(rights, expected, "{company:?}");
        }
        let nobody = Principal { territories: DepartmentSet::EMPTY, ..Principal::local() };
        let company = Company { departments: DepartmentSet::all(), ever_alerted: true, followed: false };
        assert_eq!(decide(&nobody, company, None).rights, Rights::NONE, "no territory is not the whole country");
    }

    #[test]
    fn each_source_needs_its_right() {
        let catalogue = Catalogue::builtin().unwrap();
        let right = |name: &str| right_of(&catalogue.features()[catalogue.index_of(name).unwrap()]);
        assert_eq!(right("social_debt"), Some(Right::Urssaf));
        assert_eq!(right("short_time_hours_consumed_12m"), Some(Right::Dgefp));
        assert_eq!(right("overdraft_share"), Some(Right::Bdf));
        assert_eq!((right("turnover"), right("headcount")), (None, None));
    }
}
