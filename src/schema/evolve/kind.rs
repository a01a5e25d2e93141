//! What kind of difference is it, and does it break readers?

macro_rules! kinds {
    ($($name:ident = $word:literal $breaks:ident,)*) => {
        /// A kind of difference, by the field's name for it. What is *added* or *removed* is so in the newer schema.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!("`", $word, "`")] $name,)*
        }

        impl Kind {
            /// Its name in answers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Whether a newer schema with this difference refuses data that the older one took.
            #[must_use]
            pub const fn breaks(self) -> bool {
                match self {
                    $(Self::$name => $breaks,)*
                }
            }
        }
    };
}

kinds! {
    TypeChanged = "TYPE_CHANGED" true,
    TypeNarrowed = "TYPE_NARROWED" true,
    TypeExtended = "TYPE_EXTENDED" false,
    SchemaAdded = "SCHEMA_ADDED" true,
    SchemaRemoved = "SCHEMA_REMOVED" false,
    EnumArrayNarrowed = "ENUM_ARRAY_NARROWED" true,
    EnumArrayExtended = "ENUM_ARRAY_EXTENDED" false,
    EnumArrayChanged = "ENUM_ARRAY_CHANGED" true,
    CombinedTypeChanged = "COMBINED_TYPE_CHANGED" true,
    CombinedTypeExtended = "COMBINED_TYPE_EXTENDED" false,
    CombinedTypeSubschemasChanged = "COMBINED_TYPE_SUBSCHEMAS_CHANGED" true,
    SumTypeExtended = "SUM_TYPE_EXTENDED" false,
    SumTypeNarrowed = "SUM_TYPE_NARROWED" true,
    ProductTypeExtended = "PRODUCT_TYPE_EXTENDED" true,
    ProductTypeNarrowed = "PRODUCT_TYPE_NARROWED" false,
    NotTypeExtended = "NOT_TYPE_EXTENDED" true,
    NotTypeNarrowed = "NOT_TYPE_NARROWED" false,
    MaxLengthAdded = "MAX_LENGTH_ADDED" true,
    MaxLengthRemoved = "MAX_LENGTH_REMOVED" false,
    MaxLengthIncreased = "MAX_LENGTH_INCREASED" false,
    MaxLengthDecreased = "MAX_LENGTH_DECREASED" true,
    MinLengthAdded = "MIN_LENGTH_ADDED" true,
    MinLengthRemoved = "MIN_LENGTH_REMOVED" false,
    MinLengthIncreased = "MIN_LENGTH_INCREASED" true,
    MinLengthDecreased = "MIN_LENGTH_DECREASED" false,
    PatternAdded = "PATTERN_ADDED" true,
    PatternRemoved = "PATTERN_REMOVED" false,
    PatternChanged = "PATTERN_CHANGED" true,
    FormatAdded = "FORMAT_ADDED" true,
    FormatRemoved = "FORMAT_REMOVED" false,
    FormatChanged = "FORMAT_CHANGED" true,
    MaximumAdded = "MAXIMUM_ADDED" true,
    MaximumRemoved = "MAXIMUM_REMOVED" false,
    MaximumIncreased = "MAXIMUM_INCREASED" false,
    MaximumDecreased = "MAXIMUM_DECREASED" true,
    MinimumAdded = "MINIMUM_ADDED" true,
    MinimumRemoved = "MINIMUM_REMOVED" false,
    MinimumIncreased = "MINIMUM_INCREASED" true,
    MinimumDecreased = "MINIMUM_DECREASED" false,
    ExclusiveMaximumAdded = "EXCLUSIVE_MAXIMUM_ADDED" true,
    ExclusiveMaximumRemoved = "EXCLUSIVE_MAXIMUM_REMOVED" false,
    ExclusiveMaximumIncreased = "EXCLUSIVE_MAXIMUM_INCREASED" false,
    ExclusiveMaximumDecreased = "EXCLUSIVE_MAXIMUM_DECREASED" true,
    ExclusiveMinimumAdded = "EXCLUSIVE_MINIMUM_ADDED" true,
    ExclusiveMinimumRemoved = "EXCLUSIVE_MINIMUM_REMOVED" false,
    ExclusiveMinimumIncreased = "EXCLUSIVE_MINIMUM_INCREASED" true,
    ExclusiveMinimumDecreased = "EXCLUSIVE_MINIMUM_DECREASED" false,
    MultipleOfAdded = "MULTIPLE_OF_ADDED" true,
    MultipleOfRemoved = "MULTIPLE_OF_REMOVED" false,
    MultipleOfExpanded = "MULTIPLE_OF_EXPANDED" true,
    MultipleOfReduced = "MULTIPLE_OF_REDUCED" false,
    MultipleOfChanged = "MULTIPLE_OF_CHANGED" true,
    RequiredAttributeAdded = "REQUIRED_ATTRIBUTE_ADDED" true,
    RequiredAttributeWithDefaultAdded = "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED" false,
    RequiredAttributeRemoved = "REQUIRED_ATTRIBUTE_REMOVED" false,
    MaxPropertiesAdded = "MAX_PROPERTIES_ADDED" true,
    MaxPropertiesRemoved = "MAX_PROPERTIES_REMOVED" false,
    MaxPropertiesIncreased = "MAX_PROPERTIES_INCREASED" false,
    MaxPropertiesDecreased = "MAX_PROPERTIES_DECREASED" true,
    MinPropertiesAdded = "MIN_PROPERTIES_ADDED" true,
    MinPropertiesRemoved = "MIN_PROPERTIES_REMOVED" false,
    MinPropertiesIncreased = "MIN_PROPERTIES_INCREASED" true,
    MinPropertiesDecreased = "MIN_PROPERTIES_DECREASED" false,
    AdditionalPropertiesAdded = "ADDITIONAL_PROPERTIES_ADDED" false,
    AdditionalPropertiesRemoved = "ADDITIONAL_PROPERTIES_REMOVED" true,
    AdditionalPropertiesExtended = "ADDITIONAL_PROPERTIES_EXTENDED" false,
    AdditionalPropertiesNarrowed = "ADDITIONAL_PROPERTIES_NARROWED" true,
    PropertyAddedToOpen = "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL" true,
    EmptyPropertyAddedToOpen = "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL" false,
    RequiredPropertyAddedToUnopen = "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL" true,
    RequiredPropertyWithDefaultAddedToUnopen = "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL" false,
    OptionalPropertyAddedToUnopen = "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL" false,
    PropertyAddedCovered = "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" false,
    PropertyAddedNotCovered = "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" true,
    PropertyRemovedFromOpen = "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL" false,
    PropertyRemovedFromClosed = "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL" true,
    FalsePropertyRemovedFromClosed = "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL" false,
    PropertyRemovedCovered = "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" false,
    PropertyRemovedNotCovered = "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" true,
    PatternPropertyAdded = "PATTERN_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL" true,
    PatternPropertyRemoved = "PATTERN_PROPERTY_REMOVED_FROM_UNOPEN_CONTENT_MODEL" true,
    DependencyArrayAdded = "DEPENDENCY_ARRAY_ADDED" true,
    DependencyArrayRemoved = "DEPENDENCY_ARRAY_REMOVED" false,
    DependencyArrayExtended = "DEPENDENCY_ARRAY_EXTENDED" true,
    DependencyArrayNarrowed = "DEPENDENCY_ARRAY_NARROWED" false,
    DependencyArrayChanged = "DEPENDENCY_ARRAY_CHANGED" true,
    DependencySchemaAdded = "DEPENDENCY_SCHEMA_ADDED" true,
    DependencySchemaRemoved = "DEPENDENCY_SCHEMA_REMOVED" false,
    MaxItemsAdded = "MAX_ITEMS_ADDED" true,
    MaxItemsRemoved = "MAX_ITEMS_REMOVED" false,
    MaxItemsIncreased = "MAX_ITEMS_INCREASED" false,
    MaxItemsDecreased = "MAX_ITEMS_DECREASED" true,
    MinItemsAdded = "MIN_ITEMS_ADDED" true,
    MinItemsRemoved = "MIN_ITEMS_REMOVED" false,
    MinItemsIncreased = "MIN_ITEMS_INCREASED" true,
    MinItemsDecreased = "MIN_ITEMS_DECREASED" false,
    UniqueItemsAdded = "UNIQUE_ITEMS_ADDED" true,
    UniqueItemsRemoved = "UNIQUE_ITEMS_REMOVED" false,
    AdditionalItemsAdded = "ADDITIONAL_ITEMS_ADDED" false,
    AdditionalItemsRemoved = "ADDITIONAL_ITEMS_REMOVED" true,
    AdditionalItemsExtended = "ADDITIONAL_ITEMS_EXTENDED" false,
    AdditionalItemsNarrowed = "ADDITIONAL_ITEMS_NARROWED" true,
    ItemAddedToOpen = "ITEM_ADDED_TO_OPEN_CONTENT_MODEL" true,
    EmptyItemAddedToOpen = "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL" false,
    ItemAddedToClosed = "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL" false,
    ItemAddedCovered = "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" false,
    ItemAddedNotCovered = "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" true,
    ItemRemovedFromOpen = "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL" false,
    ItemRemovedFromClosed = "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL" true,
    FalseItemRemovedFromClosed = "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL" false,
    ItemRemovedCovered = "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" false,
    ItemRemovedNotCovered = "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL" true,
    KeywordAdded = "KEYWORD_ADDED" true,
    KeywordRemoved = "KEYWORD_REMOVED" false,
    KeywordChanged = "KEYWORD_CHANGED" true,
    TooDeep = "TOO_DEEP_TO_COMPARE" true,
}
