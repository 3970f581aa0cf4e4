//! Which right each method needs. Pure, and closed: a method that no line names needs an operator.

use super::{Principal, Right};

/// One of these rights, by the beginning of the method's path: the first line that fits holds. Without any right, everybody whose
/// token holds may call; what they are shown is decided there.
const NEEDS: &[(&str, &[Right])] = &[
    ("/signauxfaibles.lists.v1.ListService/BuildList", OPERATOR),
    ("/signauxfaibles.lists.v1.ListService/PublishList", OPERATOR),
    ("/signauxfaibles.lists.v1.ListService/RollbackList", OPERATOR),
    ("/signauxfaibles.lists.v1.ListService/", &[Right::Score]),
    ("/signauxfaibles.companies.v1.CompanyService/BreakGlass", &[Right::Score]),
    ("/signauxfaibles.companies.v1.CompanyService/", &[]),
    ("/signauxfaibles.feedback.v1.FeedbackService/ExportFeedback", OPERATOR),
    ("/signauxfaibles.feedback.v1.FeedbackService/", &[Right::Score]),
    ("/signauxfaibles.scoring.v1.ScoringService/", &[Right::ServiceScore]),
    ("/inference.GRPCInferenceService/", &[Right::ServiceScore]),
    ("/signauxfaibles.features.v1.FeatureService/Get", &[Right::ServiceFeatures, Right::Operator]),
    ("/signauxfaibles.features.v1.FeatureService/List", &[Right::ServiceFeatures, Right::Operator]),
    ("/signauxfaibles.features.v1.FeatureService/BatchGet", &[Right::ServiceFeatures, Right::Operator]),
    ("/signauxfaibles.features.v1.FeatureService/Export", &[Right::ServiceFeatures, Right::Operator]),
];
const OPERATOR: &[Right] = &[Right::Operator];

/// The right that a caller lacks for the method of this path, if any.
pub fn lacking(path: &str, principal: &Principal) -> Option<Right> {
    let rights = NEEDS.iter().find(|(prefix, _)| path.starts_with(prefix)).map_or(OPERATOR, |(_, rights)| *rights);
    if rights.iter().any(|right| principal.has(*right)) { None } else { rights.first().copied() }
}

#[cfg(test)]
mod tests {
    use super::super::Rights;
    use super::*;

    #[test]
    fn whoever_has_a_token_may_ask_who_a_company_is() {
        let nobody = Principal { rights: Rights::NONE, ..Principal::local() };
        assert_eq!(lacking("/signauxfaibles.companies.v1.CompanyService/GetCompany", &nobody), None);
        assert_eq!(lacking("/signauxfaibles.companies.v1.CompanyService/SearchCompanies", &nobody), None);
    }

    #[test]
    fn a_method_needs_its_right_and_an_unknown_one_an_operator() {
        let with = |right: Right| Principal { rights: [right].into_iter().collect::<Rights>(), ..Principal::local() };
        for (path, right) in [
            ("/signauxfaibles.lists.v1.ListService/GetRankedList", Right::Score),
            ("/signauxfaibles.lists.v1.ListService/PublishList", Right::Operator),
            ("/signauxfaibles.scoring.v1.ScoringService/ScoreCompany", Right::ServiceScore),
            ("/signauxfaibles.features.v1.FeatureService/BatchGetFeatures", Right::ServiceFeatures),
            ("/signauxfaibles.features.v1.FeatureService/ExportFeatures", Right::ServiceFeatures),
            ("/signauxfaibles.features.v1.FeatureService/GetCompanyHistory", Right::ServiceFeatures),
            ("/signauxfaibles.features.v1.FeatureService/CheckConsistency", Right::Operator),
            ("/signauxfaibles.features.v1.FeatureService/BuildFeatures", Right::Operator),
            ("/signauxfaibles.ingestion.v1.IngestionService/ListBatches", Right::Operator),
            ("/signauxfaibles.companies.v1.CompanyService/BreakGlass", Right::Score),
            ("/signauxfaibles.feedback.v1.FeedbackService/RateDetection", Right::Score),
            ("/signauxfaibles.feedback.v1.FeedbackService/ExportFeedback", Right::Operator),
            ("/signauxfaibles.audit.v1.AuditService/QueryAudit", Right::Operator),
            ("/google.longrunning.Operations/GetOperation", Right::Operator),
            ("/what.Ever/Is", Right::Operator),
        ] {
            for other in Right::ALL {
                let lacks = lacking(path, &with(other));
                let allowed = other == right || (right == Right::ServiceFeatures && other == Right::Operator);
                assert_eq!(lacks, (!allowed).then_some(right), "{path} with {other:?}");
            }
        }
    }
}
