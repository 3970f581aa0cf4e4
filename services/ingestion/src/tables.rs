//! The table and parser of a source known at run time.

/// Evaluates an expression with `$parser` bound to the parser of a source. A macro, because the table of the parser's rows
/// is a condition that a trait of `sources` cannot name.
macro_rules! dispatch {
    ($source:expr, $parser:ident => $body:expr) => {{
        use domain::Source as S;
        use sources::files as f;
        macro_rules! with {
            ($type:ty) => {{
                type $parser = $type;
                $body
            }};
        }
        match $source {
            S::Sirene => with!(f::EstablishmentParser),
            S::SireneUl => with!(f::LegalUnitParser),
            S::SireneHisto => with!(f::EstablishmentStateParser),
            S::Effectif => with!(f::HeadcountParser),
            S::EffectifEnt => with!(f::CompanyHeadcountParser),
            S::Cotisation => with!(f::ContributionParser),
            S::Debit => with!(f::DebitParser),
            S::Delai => with!(f::PaymentPlanParser),
            S::Ccsf => with!(f::CcsfParser),
            S::Procol => with!(f::ProcolParser),
            S::Apconso => with!(f::ShortTimeConsumptionParser),
            S::Apdemande => with!(f::ShortTimeRequestParser),
            S::Paydex => with!(f::PaymentDelayParser),
            S::RatiosInpiBce => with!(f::AccountsParser),
            S::Bodacc => with!(f::NoticeParser),
            S::AdminUrssaf => with!(f::AccountLinkParser),
            S::Filter => with!(f::FilterParser),
            S::Diane => with!(f::CompanyAccountsParser),
            S::Bdf => with!(f::BankRatiosParser),
            S::Ellisphere => with!(f::GroupLinkParser),
        }
    }};
}
pub(crate) use dispatch;
