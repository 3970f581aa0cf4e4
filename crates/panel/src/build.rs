//! The feature vectors of a company: all features of all months in one pass.

use domain::time_rules::TimeRules;
use domain::{Month, Siren};

use crate::catalogue::Catalogue;
use crate::peers::PeerRates;
use crate::rows::CompanyRows;
use crate::series::BaseSeries;
use crate::window::Window;

/// The features of a company over a window, feature after feature.
#[derive(Debug, Clone)]
pub struct Panel {
    /// The company.
    pub siren: Siren,
    /// The months.
    pub window: Window,
    values: Vec<f32>,
}

impl Panel {
    /// A feature, month after month; NaN where null.
    pub fn column(&self, feature: usize) -> &[f32] {
        &self.values[feature * self.window.len..(feature + 1) * self.window.len]
    }

    /// The vector of a month, in the order of the catalogue; empty outside of the window.
    pub fn vector(&self, month: Month) -> Vec<f32> {
        let Some(index) = self.window.index(month) else { return Vec::new() };
        self.values.iter().skip(index).step_by(self.window.len).copied().collect()
    }
}

/// Computes the features of the months from `first` to `last`, each from what was known at its end.
pub fn build(rows: &CompanyRows, peers: &PeerRates, first: Month, last: Month, rules: &TimeRules, catalogue: &Catalogue) -> Panel {
    let window = Window::new(first, last);
    let base = BaseSeries::compute(rows, window.extended(catalogue.reach()), rules, peers);
    let mut values = vec![f32::NAN; catalogue.features().len() * window.len];
    if window.len > 0 {
        for (recipe, out) in catalogue.recipes().zip(values.chunks_exact_mut(window.len)) {
            recipe.operation.apply(base.get(recipe.series), recipe.months, out);
        }
    }
    Panel { siren: rows.siren, window, values }
}
