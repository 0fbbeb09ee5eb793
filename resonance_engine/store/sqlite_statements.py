"""Statements in words that SQLite alone has; another database puts its own in their place."""

FILE_CHECK = "PRAGMA integrity_check"
REFERENCE_CHECK = "PRAGMA foreign_key_check"

# SQLite may look into what is no JSON where conditions are joined by AND.
QUIET = (
    "SELECT content_key, json_extract(attributes, '$.energy') FROM analysis "
    "WHERE CASE WHEN typeof(attributes) = 'text' AND json_valid(attributes) "
    "THEN json_extract(attributes, '$.energy') < ? ELSE 0 END"
)
INVALID_ANALYSES = (
    "SELECT content_key, broken FROM (SELECT content_key, CASE WHEN typeof(attributes) = 'text' "
    "AND json_valid(attributes) THEN json_type(attributes) <> 'object' ELSE 1 END AS broken FROM analysis) "
    "WHERE broken OR (content_key NOT IN (SELECT content_key FROM vector) "
    "AND content_key NOT IN (SELECT content_key FROM track))"
)
