// Any text, any limits, one tokenizer of each family: what must hold of every encoding (text_properties.h).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fast_paths.h"
#include "tests/fuzz/text_input.h"
#include "tests/fuzz/text_properties.h"
#include "tokenizer/source_file.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer::fuzz {
namespace {

struct File {
  const char* name;
  bool words_stand_alone;
  bool texts_are_those_of_ids;
};

// test_fuzz_corpus.py has the same files in the same order.
//
// Words do not stand alone where a space belongs to the word after it (byte-level BPE), nor where Precompiled maps
// grapheme clusters (XLNet, ALBERT): a mark after a space makes a cluster with it. The texts of tokens are not those of
// their ids where <mask> takes along the space before it, and where Unigram has unknown pieces (see Encoding::tokens).
constexpr File kFiles[] = {
    {"uncased.json", true, true},   {"cased.json", true, true},       {"gpt2.json", false, true},
    {"roberta.json", false, false}, {"xlnet_hub.json", false, false}, {"albert_converted.json", false, false},
};

struct Loaded {
  std::unique_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<const FastPaths> fast_paths;
};

Loaded Load(const File& file) {
  const absl::StatusOr<SourceFile> content = SourceFile::Read(absl::StrCat(TOKENIZER_TEST_DATA, "/", file.name));
  FUZZ_CHECK_THAT(content.ok(), content.status().ToString());
  auto tokenizer = Tokenizer::FromJson(content->content);
  FUZZ_CHECK_THAT(tokenizer.ok(), tokenizer.status().ToString());
  return {*std::move(tokenizer), std::make_unique<const FastPaths>(content->content)};
}

const std::vector<Loaded>& AllLoaded() {
  static const std::vector<Loaded> all = [] {
    std::vector<Loaded> loaded;
    for (const File& file : kFiles) loaded.push_back(Load(file));
    return loaded;
  }();
  return all;
}

void Check(absl::string_view data) {
  std::optional<TextInput> input = ParseTextInput(data);
  if (!input) return;
  const size_t number = input->tokenizer % AllLoaded().size();
  const Loaded& loaded = AllLoaded()[number];
  const Subject subject = {*loaded.tokenizer, kFiles[number].words_stand_alone, kFiles[number].texts_are_those_of_ids};
  CheckUtf8Errors(subject, *input);
  input->text = Repaired(input->text);
  if (input->pair) input->pair = Repaired(*input->pair);
  CheckNormalizers(*input);
  loaded.fast_paths->Check(input->text);
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
