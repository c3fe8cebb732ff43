// The committed answers of the reference library (generate_goldens.py).
#include <fstream>

#include "tests/tokenizer/support.h"

namespace bertha::tokenizer {
namespace {

std::vector<Span> SpansOf(const json& pairs) {
  std::vector<Span> spans;
  for (const json& pair : pairs) spans.push_back({pair[0].get<size_t>(), pair[1].get<size_t>()});
  return spans;
}

TEST_CASE("EveryGoldenTextHasTheIdsAndOffsetsOfTheReferenceLibrary") {
  for (const std::string name : {"uncased", "cased", "roberta", "gpt2", "xlnet_hub", "albert_converted"}) {
    const auto tokenizer = Tokenizer::FromFile(DataFile(name + ".json"));
    INFO(tokenizer.status().ToString());
    REQUIRE(tokenizer.ok());
    std::ifstream goldens(DataFile(name + ".golden.jsonl"));
    size_t lines = 0;
    for (std::string line; std::getline(goldens, line); ++lines) {
      const json golden = json::parse(line);
      std::optional<std::string> pair;
      if (golden["pair"].is_string()) pair = golden["pair"].get<std::string>();
      INFO(name << ": " << line);
      EncodeOptions options;
      options.offsets = options.char_offsets = options.word_ids = true;
      const Encoding encoding = EncodeWith(**tokenizer, golden["text"].get<std::string>(), pair, options);
      CHECK(encoding.ids == golden["ids"].get<std::vector<int32_t>>());
      CHECK(encoding.type_ids == golden["type_ids"].get<std::vector<int32_t>>());
      CHECK(encoding.offsets == SpansOf(golden["byte_offsets"]));
      CHECK(encoding.char_offsets == SpansOf(golden["offsets"]));
      CHECK(encoding.word_ids == golden["word_ids"].get<std::vector<int32_t>>());
      CHECK(encoding.full_length == encoding.ids.size());
    }
    CHECK(lines > 180);
  }
}

}  // namespace
}  // namespace bertha::tokenizer
