//! Gauss–Legendre quadrature: the integral over \[0, 1\] of a polynomial of degree below 2 n is a weighted sum of its values
//! at n points, exactly.

use std::f64::consts::PI;

/// Points and weights, by Newton's method on the Legendre polynomial of degree `N` (Abramowitz and Stegun, 25.4.29).
pub(super) fn gauss_legendre<const N: usize>() -> ([f64; N], [f64; N]) {
    let (mut points, mut weights) = ([0.0; N], [0.0; N]);
    let degree = N as f64;
    for at in 0..N {
        let mut x = (PI * (at as f64 + 0.75) / (degree + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (value, derivative) = legendre(N, x);
            slope = derivative;
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        points[at] = f64::midpoint(1.0, x);
        weights[at] = 1.0 / ((1.0 - x * x) * slope * slope);
    }
    (points, weights)
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
        let (points, weights) = gauss_legendre::<8>();
        for power in 0..16 {
            let sum: f64 = points.iter().zip(weights).map(|(point, weight)| weight * point.powi(power)).sum();
            assert!((sum - 1.0 / f64::from(power + 1)).abs() < 1e-14, "{power}: {sum}");
        }
        let (points, weights) = gauss_legendre::<128>();
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-13 && points.iter().all(|point| *point > 0.0 && *point < 1.0));
    }
}
