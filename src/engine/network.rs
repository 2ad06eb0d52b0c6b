//! The forward pass of BERT and DeBERTa-v2 with their classification heads: token numbers in, a number a label out.

use ndarray::{Array2, Axis, Slice};

use super::LoadError;
use super::description::{Description, Family};
use super::math::{Activation, Linear, Norm, softmax};
use super::relative::{Positions, Projected};
use super::weights::Weights;

#[derive(Debug)]
pub(super) struct Network {
    words: Array2<f32>,
    positions: Option<Array2<f32>>,
    segments: Option<Array2<f32>>,
    norm: Norm,
    layers: Vec<Layer>,
    distances: Option<Positions>,
    heads: usize,
    activation: Activation,
    pooler: Linear,
    pooler_activation: Activation,
    classifier: Linear,
}

#[derive(Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    distances: Option<Projected>,
    attended: Linear,
    attended_norm: Norm,
    wide: Linear,
    narrow: Linear,
    norm: Norm,
}

impl Network {
    pub fn load(weights: &Weights, of: &Description) -> Result<Self, LoadError> {
        let root = of.family.root();
        let embedding = |name: &str, rows| weights.matrix(&format!("{root}.embeddings.{name}.weight"), rows, of.hidden);
        let some = |name, rows: usize| (rows > 0).then(|| embedding(name, rows)).transpose();
        let distances = of.relative.map(|distances| Positions::load(weights, of, distances)).transpose()?;
        let layer = |index| Layer::load(weights, of, &format!("{root}.encoder.layer.{index}"), distances.as_ref());
        Ok(Network {
            words: embedding("word_embeddings", of.vocabulary)?,
            positions: some("position_embeddings", of.positions)?,
            segments: some("token_type_embeddings", of.segments)?,
            norm: weights.norm(&format!("{root}.embeddings.LayerNorm"), of.hidden)?,
            layers: (0..of.layers).map(layer).collect::<Result<_, _>>()?,
            heads: of.heads,
            activation: of.activation,
            pooler: weights.linear(of.family.pooler(), of.hidden, of.hidden)?,
            pooler_activation: of.pooler,
            classifier: weights.linear("classifier", of.labels.len(), of.hidden)?,
            distances,
        })
    }

    /// One row, one number a label. `None` for what is no text of this network: no token, too many, or an unknown one.
    pub fn logits(&self, tokens: &[u32]) -> Option<Array2<f32>> {
        let mut state = self.embedded(tokens)?;
        let rows = self.distances.as_ref().map(|distances| distances.rows(tokens.len()));
        let parts = self.distances.as_ref().map_or(1, Positions::parts);
        for layer in &self.layers {
            state = layer.pass(state, self, parts, rows.as_deref().unwrap_or_default());
        }
        // The first token stands for all.
        let mut pooled = self.pooler.of(state.slice_axis(Axis(0), Slice::from(..1)));
        self.pooler_activation.apply(&mut pooled);
        Some(self.classifier.of(pooled.view()))
    }

    fn embedded(&self, tokens: &[u32]) -> Option<Array2<f32>> {
        let known = tokens.iter().all(|token| (*token as usize) < self.words.nrows());
        let fits = self.positions.as_ref().is_none_or(|positions| tokens.len() <= positions.nrows());
        if tokens.is_empty() || !known || !fits {
            return None;
        }
        let indices: Vec<usize> = tokens.iter().map(|token| *token as usize).collect();
        let mut state = self.words.select(Axis(0), &indices);
        if let Some(positions) = &self.positions {
            state += &positions.slice_axis(Axis(0), Slice::from(..tokens.len()));
        }
        if let Some(segments) = &self.segments {
            state += &segments.row(0);
        }
        self.norm.apply(&mut state);
        Some(state)
    }
}

impl Family {
    fn root(self) -> &'static str {
        match self {
            Family::Bert => "bert",
            Family::DebertaV2 => "deberta",
        }
    }

    fn pooler(self) -> &'static str {
        match self {
            Family::Bert => "bert.pooler.dense",
            Family::DebertaV2 => "pooler.dense",
        }
    }

    fn projections(self) -> [&'static str; 3] {
        match self {
            Family::Bert => ["query", "key", "value"],
            Family::DebertaV2 => ["query_proj", "key_proj", "value_proj"],
        }
    }
}

impl Layer {
    fn load(weights: &Weights, of: &Description, name: &str, distances: Option<&Positions>) -> Result<Self, LoadError> {
        let attention = format!("{name}.attention.self");
        let [query, key, value] =
            of.family.projections().map(|part| weights.linear(&format!("{attention}.{part}"), of.hidden, of.hidden));
        let (query, key) = (query?, key?);
        let distances =
            distances.map(|distances| distances.project(weights, &attention, (&query, &key))).transpose()?;
        Ok(Layer {
            value: value?,
            distances,
            attended: weights.linear(&format!("{name}.attention.output.dense"), of.hidden, of.hidden)?,
            attended_norm: weights.norm(&format!("{name}.attention.output.LayerNorm"), of.hidden)?,
            wide: weights.linear(&format!("{name}.intermediate.dense"), of.intermediate, of.hidden)?,
            narrow: weights.linear(&format!("{name}.output.dense"), of.hidden, of.intermediate)?,
            norm: weights.norm(&format!("{name}.output.LayerNorm"), of.hidden)?,
            query,
            key,
        })
    }

    fn pass(&self, state: Array2<f32>, network: &Network, parts: usize, rows: &[usize]) -> Array2<f32> {
        let mut attended = self.attended.of(self.attention(&state, network.heads, parts, rows).view());
        attended += &state;
        self.attended_norm.apply(&mut attended);
        let mut wide = self.wide.of(attended.view());
        network.activation.apply(&mut wide);
        let mut output = self.narrow.of(wide.view());
        output += &attended;
        self.norm.apply(&mut output);
        output
    }

    fn attention(&self, state: &Array2<f32>, heads: usize, parts: usize, rows: &[usize]) -> Array2<f32> {
        let (queries, keys, values) =
            (self.query.of(state.view()), self.key.of(state.view()), self.value.of(state.view()));
        let size = state.ncols() / heads;
        let scale = ((size * parts) as f32).sqrt();
        let mut context = Array2::zeros(state.dim());
        for head in 0..heads {
            let (from, to) = (head * size, (head + 1) * size);
            let columns = Slice::from(from..to);
            let (queries, keys) = (queries.slice_axis(Axis(1), columns), keys.slice_axis(Axis(1), columns));
            let mut scores = queries.dot(&keys.t());
            if let Some(distances) = &self.distances {
                distances.add(&mut scores, rows, columns, (queries, keys));
            }
            scores /= scale;
            softmax(&mut scores);
            let attended = scores.dot(&values.slice_axis(Axis(1), columns));
            context.slice_axis_mut(Axis(1), columns).assign(&attended);
        }
        context
    }
}
