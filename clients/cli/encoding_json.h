// Encodings as JSON lines, with the names of the Python library `tokenizers`.
//
// {"ids", "type_ids", "offsets", "byte_offsets", "tokens", "special_tokens_mask", "overflow"?}: `offsets` count code
// points and `byte_offsets` UTF-8 bytes, both as [start, end]; `overflow` lists the windows over what was cut off, as
// objects of the same form, and is left out if nothing was. Or {"error": message}.
//
// Pure; linear. Appends to strings, which keep their capacity. All text must be UTF-8. Characters that would drive a
// terminal or that some programs take for the end of a line are escaped.
#ifndef BERTHA_CLIENTS_CLI_ENCODING_JSON_H_
#define BERTHA_CLIENTS_CLI_ENCODING_JSON_H_

#include <string>

#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace bertha::cli {

/// Appends one line, its end included. The encodings must have all that the line shows.
void AppendEncodingLine(const tokenizer::Encoding& encoding, const tokenizer::EncodingList& overflow, std::string* out);

void AppendErrorLine(absl::string_view message, std::string* out);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_ENCODING_JSON_H_
