//! Joining texts by `||`: one call for a whole chain of them, so that it is known beforehand how long the result is.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// Its name.
pub(super) const CONCAT: &str = "||";

/// `a || b || …`, which is NULL where any of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Concat {
    signature: Signature,
    data_type: DataType,
}

impl Concat {
    pub(super) fn new(data_type: DataType) -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable), data_type }
    }
}

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &'static str {
        CONCAT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = arrays
            .iter()
            .map(|array| cast(array, &DataType::Utf8View))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let rows = texts.first().map_or(0, Array::len);
        let mut joined = StringViewBuilder::with_capacity(rows);
        let mut whole = String::new();
        for row in 0..rows {
            whole.clear();
            let is_null = texts.iter().any(|text| text.is_null(row));
            texts
                .iter()
                .filter(|_| !is_null)
                .for_each(|text| whole.push_str(text.as_string_view().value(row)));
            joined.append_option((!is_null).then_some(whole.as_str()));
        }
        let joined: ArrayRef = Arc::new(joined.finish());
        let joined = cast(&joined, &self.data_type)?;
        let is_constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(joined))
    }
}
