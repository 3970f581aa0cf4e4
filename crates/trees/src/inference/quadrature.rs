//! Gauss–Legendre quadrature: the integral over \[0, 1\] of a polynomial of degree below 2 n is a weighted sum of its values
//! at n points, exactly.

use std::f64::consts::PI;

/// `count` points and their weights, by Newton's method on the Legendre polynomial of that degree (Abramowitz and Stegun,
/// 25.4.29).
pub(super) fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    let root = |at: usize| {
        let mut x = (PI * (at as f64 + 0.75) / (count as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (value, derivative) = legendre(count, x);
            slope = derivative;
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        (f64::midpoint(1.0, x), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..count).map(root).collect()
}

/// The Legendre polynomial and its derivative.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=degree {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, degree as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_integrated_exactly() {
        let rule = gauss_legendre(8);
        for power in 0..16 {
            let sum: f64 = rule.iter().map(|(point, weight)| weight * point.powi(power)).sum();
            assert!((sum - 1.0 / f64::from(power + 1)).abs() < 1e-14, "{power}: {sum}");
        }
        let rule = gauss_legendre(128);
        let sum: f64 = rule.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 1.0).abs() < 1e-13 && rule.iter().all(|(point, _)| *point > 0.0 && *point < 1.0));
    }
}
