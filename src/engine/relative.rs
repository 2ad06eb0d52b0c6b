//! DeBERTa's disentangled attention: what tokens are to each other by their distance, beside what they are by their content.

use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::LoadError;
use super::description::{Buckets, Description, Distances};
use super::math::Linear;
use super::weights::Weights;

/// The embeddings of distances, as every layer projects them anew.
#[derive(Debug)]
pub(super) struct Positions {
    distances: Distances,
    /// One row a distance, from the farthest before to the farthest behind.
    embeddings: Array2<f32>,
}

/// One layer's projections of the distances.
#[derive(Debug)]
pub(super) struct Projected {
    keys: Option<Array2<f32>>,
    queries: Option<Array2<f32>>,
}

impl Positions {
    pub fn load(weights: &Weights, of: &Description, distances: Distances) -> Result<Self, LoadError> {
        let mut embeddings = weights.matrix("deberta.encoder.rel_embeddings.weight", distances.span * 2, of.hidden)?;
        if distances.normed {
            weights.norm("deberta.encoder.LayerNorm", of.hidden)?.apply(&mut embeddings);
        }
        Ok(Positions { distances, embeddings })
    }

    /// For the layer whose attention has this name and these projections of the content.
    pub fn project(
        &self,
        weights: &Weights,
        name: &str,
        (query, key): (&Linear, &Linear),
    ) -> Result<Projected, LoadError> {
        let hidden = self.embeddings.ncols();
        let through = |wanted: bool, content: &Linear, own: &str| match (wanted, self.distances.shared) {
            (false, _) => Ok(None),
            (true, true) => Ok(Some(content.of(self.embeddings.view()))),
            (true, false) => {
                let own = weights.linear(&format!("{name}.{own}"), hidden, hidden)?;
                Ok(Some(own.of(self.embeddings.view())))
            }
        };
        Ok(Projected {
            keys: through(self.distances.content_to_position, key, "pos_key_proj")?,
            queries: through(self.distances.position_to_content, query, "pos_query_proj")?,
        })
    }

    /// By how many parts the attention is the larger.
    pub fn parts(&self) -> usize {
        1 + usize::from(self.distances.content_to_position) + usize::from(self.distances.position_to_content)
    }

    /// The rows of distances from `1 - len` to `len - 1`.
    pub fn rows(&self, len: usize) -> Vec<usize> {
        let (len, span) = (len as i64, self.distances.span as i64);
        let row = |distance: i64| {
            let bucket = self.distances.buckets.map_or(distance, |buckets| bucket(distance, buckets));
            (bucket + span).clamp(0, 2 * span - 1) as usize
        };
        (1 - len..len).map(row).collect()
    }
}

impl Projected {
    /// Adds to the scores of one head, which has these columns, what the distances say.
    pub fn add(
        &self,
        scores: &mut Array2<f32>,
        rows: &[usize],
        columns: Slice,
        (queries, keys): (ArrayView2<f32>, ArrayView2<f32>),
    ) {
        let of_head = |positions: &Array2<f32>, content: ArrayView2<f32>| {
            content.dot(&positions.slice_axis(Axis(1), columns).t())
        };
        let by_query = self.keys.as_ref().map(|positions| of_head(positions, queries));
        let by_key = self.queries.as_ref().map(|positions| of_head(positions, keys));
        let last = scores.nrows().saturating_sub(1);
        for ((query, key), score) in scores.indexed_iter_mut() {
            let Some(row) = rows.get(query + last - key) else { continue };
            *score += by_query.as_ref().and_then(|parts| parts.get((query, *row))).unwrap_or(&0.0);
            *score += by_key.as_ref().and_then(|parts| parts.get((key, *row))).unwrap_or(&0.0);
        }
    }
}

/// Near distances are their own bucket, far ones share one with others as many times as far.
fn bucket(distance: i64, Buckets { count, farthest }: Buckets) -> i64 {
    let middle = (count / 2) as f64;
    let far = distance.abs() as f64;
    if far <= middle {
        return distance;
    }
    let share = (far / middle).ln() / ((farthest as f64 - 1.0) / middle).ln();
    ((share * (middle - 1.0)).ceil() + middle) as i64 * distance.signum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_published_model() {
        let base = Buckets { count: 256, farthest: 512 };
        for (distance, expected) in
            [(0, 0), (127, 127), (-128, -128), (129, 129), (200, 169), (-300, -207), (511, 255), (512, 256)]
        {
            assert_eq!(bucket(distance, base), expected, "{distance}");
        }
    }
}
