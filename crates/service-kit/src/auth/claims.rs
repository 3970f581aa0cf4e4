//! From the claims of a token to a principal: Keycloak's roles as the existing system has them (`domain/consumers.md` §3.1),
//! or a plain scheme.
//!
//! Keycloak: `resource_access.<client>.roles` holds department codes, names of regions, `France entière`, data scopes and
//! functions in one flat list. Plain: `roles` or `scope` (OAuth 2.0) for rights, `territories` for codes of departments,
//! `region:27` and `FR`. What is in neither vocabulary grants nothing.

use domain::{Department, DepartmentSet, Region};
use serde_json::Value;

use super::{Principal, Right, Rights};

/// Spelled two ways in the existing system.
const ALL_FRANCE: &str = "france entière";

/// The principal of checked claims. `client` is the client of Keycloak whose roles count.
pub(super) fn principal(claims: &Value, client: &str) -> Principal {
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let roles = strings(&claims["resource_access"][client]["roles"]).chain(strings(&claims["roles"]));
    let roles: Vec<&str> = roles.chain(claims["scope"].as_str().unwrap_or_default().split_whitespace()).collect();
    let territories = roles.iter().flat_map(|role| territory_of_role(role).iter());
    Principal {
        subject: text("sub"),
        segment: text("segment"),
        territories: territories.chain(strings(&claims["territories"]).flat_map(|code| territory(code).iter())).collect(),
        rights: roles.iter().filter_map(|role| right(role)).collect::<Rights>(),
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Names of rights; `detection` is what the existing system calls the reasons of a score.
fn right(role: &str) -> Option<Right> {
    if role == "detection" {
        return Some(Right::Explain);
    }
    Right::parse(role)
}

/// A role that names a place. Region *codes* are no roles: `11` is the Aude, and the Île-de-France.
fn territory_of_role(role: &str) -> DepartmentSet {
    if role.to_lowercase() == ALL_FRANCE {
        return DepartmentSet::all();
    }
    if let Ok(department) = role.parse::<Department>() {
        return [department].into_iter().collect();
    }
    let region = Region::all().find(|region| region.name() == role);
    region.map(|region| region.departments().collect()).unwrap_or_default()
}

/// A territory of the plain scheme.
fn territory(code: &str) -> DepartmentSet {
    match code.strip_prefix("region:") {
        Some(region) => region.parse::<Region>().map(|region| region.departments().collect()).unwrap_or_default(),
        None if code == "FR" => DepartmentSet::all(),
        None => code.parse::<Department>().map(|department| [department].into_iter().collect()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn departments(principal: &Principal) -> Vec<&'static str> {
        principal.territories.iter().map(Department::code).collect()
    }

    #[test]
    fn roles_of_keycloak_are_places_scopes_and_functions() {
        let roles = ["21", "Corse", "score", "detection", "urssaf", "wekan", "20", "Bourgogne"];
        let claims = json!({ "sub": "u1", "segment": "crp", "resource_access": { "signauxfaibles": { "roles": roles }, "account": { "roles": ["operator", "75"] } } });
        let found = principal(&claims, "signauxfaibles");
        assert_eq!((found.subject.as_str(), found.segment.as_str()), ("u1", "crp"));
        assert_eq!(departments(&found), ["21", "2A", "2B"]);
        assert_eq!(found.rights, [Right::Score, Right::Explain, Right::Urssaf].into_iter().collect());
    }

    #[test]
    fn the_plain_scheme_names_territories() {
        let found = principal(&json!({ "sub": "svc", "scope": "svc.score score", "territories": ["976", "region:94"] }), "x");
        assert_eq!(departments(&found), ["2A", "2B", "976"]);
        assert!(found.has(Right::ServiceScore) && found.has(Right::Score) && !found.has(Right::Operator));
    }

    #[test]
    fn the_whole_country_is_spelled_in_several_ways_and_nothing_is_no_territory() {
        for claims in [json!({ "roles": ["France Entière"] }), json!({ "roles": ["France entière"] }), json!({ "territories": ["FR"] })] {
            assert_eq!(principal(&claims, "x").territories, DepartmentSet::all(), "{claims}");
        }
        for claims in [
            json!({}),
            json!({ "roles": "21", "territories": "FR", "scope": ["score"] }),
            json!({ "territories": ["region:21x", "france"] }),
        ] {
            let found = principal(&claims, "x");
            assert!(found.territories.is_empty() && found.rights == Rights::NONE, "{claims}");
        }
    }
}
