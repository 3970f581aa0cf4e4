//! The logistic function and its relatives, exact in both tails.

/// `1 / (1 + e^-x)`.
pub(crate) fn sigmoid(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + (-log_odds).exp())
    } else {
        let odds = log_odds.exp();
        odds / (1.0 + odds)
    }
}

/// `ln(p / (1 - p))`.
pub(crate) fn logit(probability: f64) -> f64 {
    probability.ln() - (-probability).ln_1p()
}

/// `ln(1 + e^x)`, that is `-ln(1 - sigmoid(x))`.
pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_finite_and_inverse() {
        for x in [-700.0, -30.0, -1.0, 0.0, 1.0, 30.0] {
            assert!((logit(sigmoid(x)) - x).abs() <= x.abs().mul_add(1e-3, 1e-12), "{x}");
        }
        assert_eq!((softplus(-800.0), softplus(800.0)), (0.0, 800.0));
        assert!((softplus(0.0) - std::f64::consts::LN_2).abs() < 1e-15);
    }
}
