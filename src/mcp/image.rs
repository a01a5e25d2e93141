//! A picture as the protocol carries it: base 64, addressed to the person and not to the model.

use rmcp::model::{Annotations, ContentBlock, ImageContent, Role};

use crate::tools::Image;

/// The letters of base 64 (RFC 4648, section 4).
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The picture as a content block.
pub(super) fn picture(image: &Image) -> ContentBlock {
    let content = ImageContent::new(base64(image.text.as_bytes()), image.mime_type.as_str());
    let for_people = Annotations::default().with_audience(vec![Role::User]);
    ContentBlock::Image(content.with_annotations(for_people))
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if at > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }

    #[test]
    fn a_picture_is_addressed_to_the_person() {
        let image = Image { mime_type: "image/svg+xml".to_owned(), text: "<svg/>".to_owned() };
        let sent = serde_json::to_value(picture(&image)).expect("JSON");
        let expected = serde_json::json!({
            "type": "image",
            "data": "PHN2Zy8+",
            "mimeType": "image/svg+xml",
            "annotations": {"audience": ["user"]},
        });
        assert_eq!(sent, expected);
    }
}
