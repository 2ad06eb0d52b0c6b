//! Layers of a network over rows of numbers. Knows no architecture.

use ndarray::{Array1, Array2, ArrayView2, Axis};

/// `x` times a matrix, plus a vector.
#[derive(Debug)]
pub(super) struct Linear {
    /// One row an output.
    pub weight: Array2<f32>,
    pub bias: Array1<f32>,
}

impl Linear {
    pub fn of(&self, rows: ArrayView2<f32>) -> Array2<f32> {
        rows.dot(&self.weight.t()) + &self.bias
    }
}

/// Rows with mean 0 and variance 1, then scaled and shifted.
#[derive(Debug)]
pub(super) struct Norm {
    pub weight: Array1<f32>,
    pub bias: Array1<f32>,
    pub epsilon: f32,
}

impl Norm {
    pub fn apply(&self, rows: &mut Array2<f32>) {
        for mut row in rows.axis_iter_mut(Axis(0)) {
            let mean = row.mean().unwrap_or_default();
            row -= mean;
            let variance = row.iter().map(|x| x * x).sum::<f32>() / row.len().max(1) as f32;
            row /= (variance + self.epsilon).sqrt();
            row *= &self.weight;
            row += &self.bias;
        }
    }
}

/// What a layer's outputs go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Gelu,
    /// The approximation by a hyperbolic tangent.
    GeluTanh,
    Relu,
    Tanh,
}

impl Activation {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::GeluTanh),
            "relu" => Some(Activation::Relu),
            "tanh" => Some(Activation::Tanh),
            _ => None,
        }
    }

    pub fn apply(self, rows: &mut Array2<f32>) {
        rows.mapv_inplace(|x| match self {
            Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::Relu => x.max(0.0),
            Activation::Tanh => x.tanh(),
        });
    }
}

/// Each row as probabilities.
pub(super) fn softmax(rows: &mut Array2<f32>) {
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let most = row.fold(f32::NEG_INFINITY, |most, x| most.max(*x));
        row.mapv_inplace(|x| (x - most).exp());
        let sum = row.sum();
        row /= sum;
    }
}

pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Abramowitz and Stegun 7.1.26: within 1.5e-7, which is what `f32` holds.
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = [1.061_405_4, -1.453_152, 1.421_413_8, -0.284_496_74, 0.254_829_6];
    let sum = series.into_iter().fold(0.0, |sum, factor| sum * t + factor) * t;
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn gelu_is_what_its_published_values_say() {
        let mut rows = array![[-3.0, -1.0, 0.0, 0.5, 1.0, 3.0]];
        Activation::Gelu.apply(&mut rows);
        let expected = [-0.004_049_7, -0.158_655_25, 0.0, 0.345_731_2, 0.841_344_8, 2.995_95];
        for (x, expected) in rows.iter().zip(expected) {
            assert!((x - expected).abs() < 1e-5, "{x} is not {expected}");
        }
    }

    #[test]
    fn a_softmax_of_large_numbers_is_finite_and_sums_to_one() {
        let mut rows = array![[1000.0, 1000.0], [-1e30, 0.0]];
        softmax(&mut rows);
        assert_eq!(rows, array![[0.5, 0.5], [0.0, 1.0]]);
    }
}
