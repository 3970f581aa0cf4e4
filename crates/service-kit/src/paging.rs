//! How many items a page has.

use crate::error::{ErrorCode, ServiceError};

/// The size asked for, checked: `0` means the default, more than the most is cut to it, a negative one is refused.
pub fn size(asked: i32, default: usize, most: usize) -> Result<usize, ServiceError> {
    match usize::try_from(asked) {
        Ok(0) => Ok(default),
        Ok(asked) => Ok(asked.min(most)),
        Err(_) => Err(ServiceError::new(ErrorCode::InvalidArgument, "page_size must not be negative").with("field", "page_size")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_cut_and_negative_ones_refused() {
        assert_eq!([0, 1, 500, i32::MAX].map(|asked| size(asked, 50, 500).unwrap()), [50, 1, 500, 500]);
        assert_eq!(size(-1, 50, 500).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
}
