// What a package's directory, <models>/<name>/<version>/, says: nothing inside it repeats that.
//
// Thread-safety: free functions without state.
#ifndef BERTHA_MODELS_PACKAGE_NAMES_H_
#define BERTHA_MODELS_PACKAGE_NAMES_H_

#include <cstdint>
#include <optional>
#include <string>

namespace bertha::models {

/// Names of models, and of labels: [A-Za-z0-9][A-Za-z0-9._-]*, 128 bytes at most.
bool IsModelName(const std::string& name);

/// 1, 2, ...; nothing else, not even "01".
std::optional<int64_t> ParseVersion(const std::string& text);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_PACKAGE_NAMES_H_
