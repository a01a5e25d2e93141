//! What characters do to a text, and what a chunk of it is made of.

/// What a character does to a text.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Lower,
    Upper,
    Digit,
    Apostrophe,
    /// Joins words in prose: `-` and `/`.
    Joint,
    /// Separates the larger parts of an identifier.
    Strong,
    /// Separates its smaller parts.
    Weak,
    /// Ends a chunk.
    Border,
    /// Is a word.
    Ideograph,
}

/// The kinds of the ASCII characters: most texts have no others.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const ASCII: [Kind; 128] = {
    let mut kinds = [Kind::Border; 128];
    let mut at = 0_u8;
    while at < 128 {
        let c = at as char;
        kinds[at as usize] = match c {
            'a'..='z' => Kind::Lower,
            'A'..='Z' => Kind::Upper,
            '0'..='9' => Kind::Digit,
            '\'' => Kind::Apostrophe,
            '-' | '/' => Kind::Joint,
            '\\' | '@' | ':' | '?' | '&' | '=' | '#' => Kind::Strong,
            '.' | '_' | '+' | '~' | '%' | '$' | '^' | '*' => Kind::Weak,
            _ => Kind::Border,
        };
        at += 1;
    }
    kinds
};

impl Kind {
    pub(super) fn of(c: char) -> Self {
        if c.is_ascii() {
            return ASCII.get(c as usize).copied().unwrap_or(Self::Border);
        }
        match c {
            '’' => Self::Apostrophe,
            '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{20000}'..='\u{3134f}' => Self::Ideograph,
            c if c.is_uppercase() => Self::Upper,
            // Combining accents belong to their letter.
            c if c.is_alphabetic() || matches!(c, '\u{300}'..='\u{36f}') => Self::Lower,
            c if c.is_numeric() => Self::Digit,
            _ => Self::Border,
        }
    }

    pub(super) fn is_sign(self) -> bool {
        !matches!(self, Self::Lower | Self::Upper | Self::Digit)
    }

    pub(super) fn is_strong(self) -> bool {
        // A slash separates paths; a hyphen does not.
        matches!(self, Self::Strong)
    }
}

/// What a chunk is made of.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one question about a chunk")]
pub(super) struct Shape {
    pub(super) letters: bool,
    pub(super) digits: bool,
    pub(super) humps: bool,
    pub(super) apostrophes: bool,
    /// `-` or `/`.
    pub(super) joints: bool,
    /// Any other sign.
    pub(super) signs: bool,
}

impl Shape {
    pub(super) fn of(chunk: &str) -> Self {
        let mut shape = Self::default();
        let mut before = Kind::Weak;
        for c in chunk.chars() {
            let kind = Kind::of(c);
            match kind {
                Kind::Lower => shape.letters = true,
                Kind::Upper => {
                    shape.letters = true;
                    shape.humps |= before == Kind::Lower;
                }
                Kind::Digit => shape.digits = true,
                Kind::Apostrophe => shape.apostrophes = true,
                Kind::Joint => shape.joints = true,
                _ => shape.signs = true,
            }
            before = kind;
        }
        // `HTTPServer` has a hump too.
        shape.humps |= !shape.signs && has_inner_hump(chunk);
        shape
    }

    pub(super) fn is_word(self) -> bool {
        !(self.digits || self.humps || self.joints || self.signs)
    }

    pub(super) fn is_joined_words(self) -> bool {
        self.joints && !(self.digits || self.humps || self.signs)
    }
}

/// Whether two capitals are followed by a small letter.
fn has_inner_hump(text: &str) -> bool {
    let mut capitals = 0;
    for c in text.chars() {
        match Kind::of(c) {
            Kind::Upper => capitals += 1,
            Kind::Lower if capitals > 1 => return true,
            _ => capitals = 0,
        }
    }
    false
}
