// Reading an untrusted file into memory.
//
// Thread-safety: pure functions.
#ifndef BERTHA_TOKENIZER_READ_FILE_H_
#define BERTHA_TOKENIZER_READ_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace bertha::tokenizer {

/// The content of a file, or of whatever else can be opened by that name. NOT_FOUND if it cannot be read;
/// INVALID_ARGUMENT if it has more than `limit` bytes, of which no more than that are then read.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_READ_FILE_H_
