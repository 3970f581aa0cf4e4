//! Penalised logistic regression by Newton's method, for the baseline of that name and for beta calibration.
//!
//! The Newton step is solved by conjugate gradients, which need products with the second derivatives but not the matrix:
//! the cost is that of passes over the rows, with a few vectors of memory.

use crate::rows::{Rows, Value};
use crate::sigmoid::{sigmoid, softplus};

const MAX_STEPS: usize = 100;
/// Stop when the gradient has shrunk by this factor.
const TOLERANCE: f64 = 1e-8;

/// An intercept and one coefficient a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Coefficients {
    pub(crate) intercept: f64,
    pub(crate) slopes: Vec<f64>,
}

impl Coefficients {
    fn zero(features: usize) -> Self {
        Self { intercept: 0.0, slopes: vec![0.0; features] }
    }

    fn dot(&self, other: &Self) -> f64 {
        self.intercept.mul_add(other.intercept, self.slopes.iter().zip(&other.slopes).map(|(left, right)| left * right).sum())
    }

    fn add(&mut self, factor: f64, other: &Self) {
        self.intercept += factor * other.intercept;
        self.slopes.iter_mut().zip(&other.slopes).for_each(|(slope, change)| *slope += factor * change);
    }

    fn scaled(&self, by: &Self) -> Self {
        let slopes = self.slopes.iter().zip(&by.slopes).map(|(left, right)| left / right).collect();
        Self { intercept: self.intercept / by.intercept, slopes }
    }

    /// `intercept + slopes · row`.
    pub(crate) fn apply<V: Value>(&self, row: &[V]) -> f64 {
        self.intercept + self.slopes.iter().zip(row).map(|(slope, value)| slope * (*value).into()).sum::<f64>()
    }
}

/// The problem: minimise `Σ ln(1 + e^z) - y z + penalty / 2 · |slopes|²` where `z = intercept + slopes · row`.
struct Problem<'a, V: Value> {
    rows: Rows<'a, V>,
    positives: &'a [bool],
    penalty: f64,
}

impl<V: Value> Problem<'_, V> {
    fn loss(&self, at: &Coefficients) -> f64 {
        let rows: f64 = self.rows.iter().zip(self.positives).map(|(row, positive)| softplus_loss(at.apply(row), *positive)).sum();
        rows + self.penalty / 2.0 * at.slopes.iter().map(|slope| slope * slope).sum::<f64>()
    }

    /// The gradient, the diagonal of the second derivatives, and the weight `p (1 - p)` of each row in them.
    fn derivatives(&self, at: &Coefficients) -> (Coefficients, Coefficients, Vec<f64>) {
        let (mut gradient, mut diagonal) = (Coefficients::zero(self.rows.features()), Coefficients::zero(self.rows.features()));
        let mut curvatures = Vec::with_capacity(self.rows.len());
        for (row, positive) in self.rows.iter().zip(self.positives) {
            let probability = sigmoid(at.apply(row));
            let (slope, curvature) = (probability - f64::from(*positive), probability * (1.0 - probability));
            gradient.intercept += slope;
            diagonal.intercept += curvature;
            for ((value, gradient), diagonal) in row.iter().zip(&mut gradient.slopes).zip(&mut diagonal.slopes) {
                let value: f64 = (*value).into();
                *gradient += slope * value;
                *diagonal += curvature * value * value;
            }
            curvatures.push(curvature);
        }
        gradient.slopes.iter_mut().zip(&at.slopes).for_each(|(gradient, slope)| *gradient += self.penalty * slope);
        diagonal.slopes.iter_mut().for_each(|diagonal| *diagonal += self.penalty);
        diagonal.intercept = diagonal.intercept.max(f64::MIN_POSITIVE);
        (gradient, diagonal, curvatures)
    }

    /// The second derivatives times a direction.
    fn curve(&self, curvatures: &[f64], direction: &Coefficients) -> Coefficients {
        let mut product = Coefficients::zero(self.rows.features());
        for (row, curvature) in self.rows.iter().zip(curvatures) {
            let along = curvature * direction.apply(row);
            product.intercept += along;
            product.slopes.iter_mut().zip(row).for_each(|(slope, value)| *slope += along * (*value).into());
        }
        product.slopes.iter_mut().zip(&direction.slopes).for_each(|(slope, direction)| *slope += self.penalty * direction);
        product
    }

    /// Solves `curve(step) = -gradient` by conjugate gradients, preconditioned with the diagonal.
    fn newton_step(&self, gradient: &Coefficients, diagonal: &Coefficients, curvatures: &[f64], accuracy: f64) -> Coefficients {
        let mut step = Coefficients::zero(self.rows.features());
        let mut residual = Coefficients::zero(self.rows.features());
        residual.add(-1.0, gradient);
        let mut direction = residual.scaled(diagonal);
        let mut size = residual.dot(&direction);
        let enough = size * accuracy * accuracy;
        for _ in 0..(2 * self.rows.features() + 10) {
            let product = self.curve(curvatures, &direction);
            let along = direction.dot(&product);
            if size <= enough || along <= 0.0 {
                break;
            }
            step.add(size / along, &direction);
            residual.add(-size / along, &product);
            let conditioned = residual.scaled(diagonal);
            let next = residual.dot(&conditioned);
            let mut turned = conditioned;
            turned.add(next / size, &direction);
            (direction, size) = (turned, next);
        }
        step
    }
}

fn softplus_loss(log_odds: f64, positive: bool) -> f64 {
    softplus(if positive { -log_odds } else { log_odds })
}

/// Fits the coefficients. The penalty must be above 0, which makes the solution unique; the intercept is not penalised.
pub(crate) fn fit<V: Value>(rows: Rows<'_, V>, positives: &[bool], penalty: f64) -> Coefficients {
    let problem = Problem { rows, positives, penalty };
    let mut at = Coefficients::zero(rows.features());
    let mut loss = problem.loss(&at);
    let mut first = None;
    for _ in 0..MAX_STEPS {
        let (gradient, diagonal, curvatures) = problem.derivatives(&at);
        let size = gradient.dot(&gradient.scaled(&diagonal)).sqrt();
        let shrunk = size / *first.get_or_insert_with(|| size.max(f64::MIN_POSITIVE));
        if shrunk <= TOLERANCE {
            break;
        }
        let step = problem.newton_step(&gradient, &diagonal, &curvatures, shrunk.sqrt().min(0.1));
        let slope = gradient.dot(&step);
        // Halve the step until it lowers the loss enough; give up when rounding leaves nothing to gain.
        let accepted = (0..40).map(|halvings| 0.5f64.powi(halvings)).find_map(|factor| {
            let mut next = at.clone();
            next.add(factor, &step);
            let next_loss = problem.loss(&next);
            (next_loss <= loss + 1e-4 * factor * slope).then_some((next, next_loss))
        });
        match accepted {
            Some((next, next_loss)) => (at, loss) = (next, next_loss),
            None => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coefficients_are_those_of_scikit_learn() {
        let outcomes = [0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1].map(|outcome| outcome == 1);
        let scores = (0..16u32).map(|row| f64::from(row) / 2.0 - 4.0);
        let values: Vec<f64> = scores.flat_map(|score| [-softplus(-score), softplus(score)]).collect();
        let found = fit(Rows::new(&values, 2).unwrap(), &outcomes, 1.0);
        // sklearn.linear_model.LogisticRegression(C=1) of version 1.9.1.
        let expected = [0.1316922280007977, 0.5133688975416976, 0.21900333371444763];
        let found = [found.intercept, found.slopes[0], found.slopes[1]];
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn the_gradient_vanishes_at_the_solution_even_when_classes_are_separable() {
        let values: Vec<f64> = (0..40).flat_map(|row| [f64::from(row) / 10.0, f64::from(row * row % 7)]).collect();
        let positives: Vec<bool> = (0..40).map(|row| row >= 20).collect();
        let rows = Rows::new(&values, 2).unwrap();
        for penalty in [1e-6, 1.0] {
            let found = fit(rows, &positives, penalty);
            let (gradient, ..) = Problem { rows, positives: &positives, penalty }.derivatives(&found);
            assert!(gradient.dot(&gradient).sqrt() < 1e-6, "{penalty} {gradient:?}");
        }
    }
}
