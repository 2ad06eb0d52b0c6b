//! Named tensors of a safetensors file as matrices of 32-bit numbers. Knows no network.

use std::path::Path;

use ndarray::{Array1, Array2};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::LoadError;
use super::math::{Linear, Norm};

const FILE: &str = "model.safetensors";

/// The bytes of the file.
pub(super) struct File(Vec<u8>);

impl File {
    pub fn read(directory: &Path) -> Result<Self, LoadError> {
        let read = std::fs::read(directory.join(FILE));
        read.map(File).map_err(|error| LoadError::Unreadable { file: FILE, error })
    }

    pub fn weights(&self) -> Result<Weights<'_>, LoadError> {
        let tensors = SafeTensors::deserialize(&self.0);
        let tensors = tensors.map_err(|error| LoadError::Damaged { file: FILE, reason: error.to_string() })?;
        Ok(Weights { tensors, epsilon: 0.0 })
    }
}

/// The tensors, each to be taken by its name and shape.
pub(super) struct Weights<'a> {
    tensors: SafeTensors<'a>,
    /// Of every norm.
    pub epsilon: f32,
}

impl Weights<'_> {
    pub fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Array2<f32>, LoadError> {
        let numbers = self.numbers(name, &[rows, columns])?;
        Array2::from_shape_vec((rows, columns), numbers)
            .map_err(|error| LoadError::Damaged { file: FILE, reason: error.to_string() })
    }

    pub fn vector(&self, name: &str, len: usize) -> Result<Array1<f32>, LoadError> {
        self.numbers(name, &[len]).map(Array1::from_vec)
    }

    pub fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, LoadError> {
        let weight = self.matrix(&format!("{name}.weight"), outputs, inputs)?;
        Ok(Linear { weight, bias: self.vector(&format!("{name}.bias"), outputs)? })
    }

    pub fn norm(&self, name: &str, len: usize) -> Result<Norm, LoadError> {
        // Converted from TensorFlow, they have its names.
        let vector = |name: String, old: String| match self.tensors.tensor(&name) {
            Err(_) if self.tensors.tensor(&old).is_ok() => self.vector(&old, len),
            _ => self.vector(&name, len),
        };
        let weight = vector(format!("{name}.weight"), format!("{name}.gamma"))?;
        let bias = vector(format!("{name}.bias"), format!("{name}.beta"))?;
        Ok(Norm { weight, bias, epsilon: self.epsilon })
    }

    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let tensor = self.tensors.tensor(name).map_err(|_| LoadError::NoTensor(name.to_owned()))?;
        let wrong = |found: String, expected: String| LoadError::Tensor { name: name.to_owned(), found, expected };
        if tensor.shape() != shape {
            return Err(wrong(format!("{:?}", tensor.shape()), format!("{shape:?}")));
        }
        let numbers = decoded(&tensor);
        let numbers = numbers.ok_or_else(|| wrong(format!("{:?}", tensor.dtype()), "F32, F16 or BF16".to_owned()))?;
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(numbers),
            false => Err(LoadError::Damaged { file: FILE, reason: format!("{name} holds what is no number") }),
        }
    }
}

fn decoded(tensor: &TensorView) -> Option<Vec<f32>> {
    let halves = || tensor.data().as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    match tensor.dtype() {
        Dtype::F32 => Some(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        Dtype::BF16 => Some(halves().map(|half| f32::from_bits(u32::from(half) << 16)).collect()),
        Dtype::F16 => Some(halves().map(half_precision).collect()),
        _ => None,
    }
}

/// An IEEE 754 binary16.
fn half_precision(half: u16) -> f32 {
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff) / 1024.0);
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-14),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1.0 + fraction) * 2f32.powi(exponent - 15),
    };
    if half & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_read_as_the_standard_says() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ];
        for (half, expected) in cases {
            assert_eq!(half_precision(half), expected, "{half:#06x}");
        }
        assert!(half_precision(0x7e00).is_nan());
    }
}
