// Any text, any limits, one tokenizer of each family: what must hold of every encoding (text_properties.h).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tests/fuzz/check.h"
#include "tests/fuzz/text_input.h"
#include "tests/fuzz/text_properties.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer::fuzz {
namespace {

struct File {
  const char* name;
  bool words_stand_alone;
  bool texts_are_those_of_ids;
};

// test_fuzz_corpus.py has the same files in the same order.
constexpr File kFiles[] = {
    {"uncased.json", true, true},
    {"cased.json", true, true},
};

std::unique_ptr<const Tokenizer> Loaded(const File& file) {
  auto tokenizer = Tokenizer::FromFile(std::string(TOKENIZER_TEST_DATA) + "/" + file.name);
  FUZZ_CHECK_THAT(tokenizer.ok(), tokenizer.status().ToString());
  return *std::move(tokenizer);
}

Subject SubjectOf(size_t number) {
  static const std::vector<std::unique_ptr<const Tokenizer>> tokenizers = [] {
    std::vector<std::unique_ptr<const Tokenizer>> loaded;
    for (const File& file : kFiles) loaded.push_back(Loaded(file));
    return loaded;
  }();
  const size_t i = number % tokenizers.size();
  return {*tokenizers[i], kFiles[i].words_stand_alone, kFiles[i].texts_are_those_of_ids};
}

void Check(absl::string_view data) {
  std::optional<TextInput> input = ParseTextInput(data);
  if (!input) return;
  const Subject subject = SubjectOf(input->tokenizer);
  CheckUtf8Errors(subject, *input);
  input->text = Repaired(input->text);
  if (input->pair) input->pair = Repaired(*input->pair);
  CheckNormalizers(*input);
  CheckRequests(subject, *input);
  CheckTokens(subject, *input);
  CheckTruncation(subject, *input);
}

}  // namespace
}  // namespace bertha::tokenizer::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bertha::tokenizer::fuzz::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
