#include "models/probes.h"

#include "models/self_check.h"

#include <cmath>
#include <functional>
#include <limits>

#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

using nlohmann::json;

std::vector<Probe> Parsed(const json& content) {
  absl::StatusOr<std::vector<Probe>> probes = ParseProbes(content.dump(), ParsedManifest());
  INFO(probes.status().ToString());
  REQUIRE(probes.ok());
  return *std::move(probes);
}

/// `n` probes; probe i has i % 8 + 1 tokens with ids i and the logits that SumEncoder gives for them.
std::vector<Probe> ManyProbes(size_t n) {
  std::vector<Probe> probes;
  for (size_t i = 0; i < n; ++i) {
    const size_t length = i % 8 + 1;
    probes.push_back({{"text", std::nullopt},
                      std::vector<int32_t>(length, static_cast<int32_t>(i)),
                      std::vector<int32_t>(length, static_cast<int32_t>(i % 2)),
                      {static_cast<float>(i * length), static_cast<float>(i % 2 * length)}});
  }
  return probes;
}

/// As above, with a row {id, type id} for each token.
std::vector<Probe> ManyTokenProbes(size_t n) {
  std::vector<Probe> probes = ManyProbes(n);
  for (Probe& probe : probes) {
    probe.logits.clear();
    for (size_t t = 0; t < probe.ids.size(); ++t) {
      probe.ids[t] += static_cast<int32_t>(100 * t);
      probe.logits.push_back(static_cast<float>(probe.ids[t]));
      probe.logits.push_back(static_cast<float>(probe.type_ids[t]));
    }
  }
  return probes;
}

/// Row = {sum of ids, sum of type ids} of the sequence, or {id, type id} of the token, changed as the test wants.
class SumEncoder final : public batcher::Encoder {
 public:
  explicit SumEncoder(bool row_per_token = false) { description_.row_per_token = row_per_token; }

  const batcher::EncoderDescription& Describe() const override { return description_; }
  absl::Status Stage(const batcher::PackedBatch& batch, int slot) override {
    slots.push_back(slot);
    sequences_ = batch.size();
    output_ = {description_.row_per_token ? batch.ids.size() : batch.size(), 2, {}};
    if (description_.row_per_token) {
      for (size_t t = 0; t < batch.ids.size(); ++t) {
        output_.values.push_back(static_cast<float>(batch.ids[t]));
        output_.values.push_back(static_cast<float>(batch.type_ids[t]));
      }
      return stage_status;
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      float ids = 0, types = 0;
      for (int32_t t = batch.cu_seqlens[i]; t < batch.cu_seqlens[i + 1]; ++t) {
        ids += static_cast<float>(batch.ids[t]);
        types += static_cast<float>(batch.type_ids[t]);
      }
      output_.values.insert(output_.values.end(), {ids, types});
    }
    return stage_status;
  }
  absl::Status Run(int, batcher::EncoderOutput& output) override {
    batch_sizes.push_back(sequences_);
    output = output_;
    if (spoil) spoil(output);
    return run_status;
  }

  absl::Status stage_status, run_status;
  std::function<void(batcher::EncoderOutput&)> spoil;
  std::vector<size_t> batch_sizes;
  std::vector<int> slots;

 private:
  batcher::EncoderDescription description_;
  batcher::EncoderOutput output_;
  size_t sequences_ = 0;
};

/// Answers from a table of texts.
class TableTokenizer final : public tokenizer::Tokenizer {
 public:
  absl::Status Encode(absl::string_view text, std::optional<absl::string_view> pair,
                      const tokenizer::EncodeOptions& options, tokenizer::Scratch&,
                      tokenizer::Encoding& out) const override {
    max_lengths.push_back(options.max_length);
    sides.push_back(options.truncation_side);
    if (text == "refused") return absl::InvalidArgumentError("text: no");
    for (const Probe& probe : table) {
      if (probe.text != text || probe.text_pair.has_value() != pair.has_value()) continue;
      if (pair && *probe.text_pair != *pair) continue;
      out.ids = probe.ids;
      out.type_ids = probe.type_ids;
      return absl::OkStatus();
    }
    return absl::NotFoundError("no such text");
  }
  size_t vocab_size() const override { return 0; }
  std::optional<int32_t> TokenToId(absl::string_view) const override { return std::nullopt; }
  std::optional<absl::string_view> IdToToken(int32_t) const override { return std::nullopt; }

  std::vector<Probe> table;
  mutable std::vector<size_t> max_lengths;
  mutable std::vector<tokenizer::TruncationSide> sides;
};

TEST_CASE("ProbesAreReadFieldByField") {
  const std::vector<Probe> probes = Parsed(GoodProbes());
  REQUIRE(probes.size() == 2);
  CHECK(probes[0].text == "a b");
  CHECK_FALSE(probes[0].text_pair.has_value());
  CHECK(probes[0].ids == std::vector<int32_t>{2, 5, 6, 3});
  CHECK(probes[0].logits == std::vector<float>{-1.5f, 2.25f});
  CHECK(probes[1].text_pair == "b");
  CHECK(probes[1].type_ids == std::vector<int32_t>{0, 0, 0, 1, 1});
}

TEST_CASE("AnEmptyPairIsAPair") {
  json content = GoodProbes();
  content["probes"][1]["text_pair"] = "";
  CHECK(Parsed(content)[1].text_pair == "");
  content["probes"][1].erase("text_pair");
  CHECK_FALSE(Parsed(content)[1].text_pair.has_value());
}

TEST_CASE("EachProbeThatIsWrongIsNamedByItsPath") {
  struct Case {
    const char* pointer;
    json value;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"/schema_version", 0, "$.schema_version: expected an integer from 1 to 1"},
      {"/probes", json::array(), "$.probes: expected 1 to 1000 probes"},
      {"/probes", json(1001, GoodProbes()["probes"][0]), "$.probes: expected 1 to 1000 probes"},
      {"/probes", json::object(), "$.probes: expected a list"},
      {"/probes", nullptr, "$.probes: missing"},
      {"/probe", 1, "$.probe: unknown key"},
      {"/probes/1", 3, "$.probes[1]: expected an object"},
      {"/probes/1/text", nullptr, "$.probes[1].text: missing"},
      {"/probes/1/text", 3, "$.probes[1].text: expected a string"},
      {"/probes/0/text_pair", 3, "$.probes[0].text_pair: expected a string"},
      {"/probes/1/ids", "2", "$.probes[1].ids: expected a list"},
      {"/probes/1/ids/4", -1, "$.probes[1].ids[4]: expected a token id"},
      {"/probes/1/type_ids/0", 0.5, "$.probes[1].type_ids[0]: expected a token id"},
      {"/probes/1/logits/1", "x", "$.probes[1].logits[1]: expected a finite number"},
      {"/probes/1/logits/0", 1e39, "$.probes[1].logits[0]: expected a finite number"},
      {"/probes/1/label", "x", "$.probes[1].label: unknown key"},
      {"/probes/1/ids", json::array(), "$.probes[1]: has 0 ids, expected 1 to max_length = 8"},
      {"/probes/1/ids", json(9, 1), "$.probes[1]: has 9 ids, expected 1 to max_length = 8"},
      {"/probes/1/type_ids", {0}, "$.probes[1]: type_ids and ids differ in length"},
      {"/probes/1/logits", {1}, "$.probes[1]: has 1 logits, but bertha.json has 2 labels"},
      {"/probes/1/logits", {1, 2, 3}, "$.probes[1]: has 3 logits, but bertha.json has 2 labels"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pointer);
    json content = GoodProbes();
    content[json::json_pointer(c.pointer)] = c.value;
    const absl::Status status = ParseProbes(content.dump(), ParsedManifest()).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message() == c.message);
  }
}

TEST_CASE("OutputsOfATaskWithARowForEachTokenStandRowAfterRow") {
  for (const Task task : {Task::kTokenClassification, Task::kQuestionAnswering, Task::kEmbeddings}) {
    const Manifest manifest = ParsedManifest(GoodManifest(task));
    json content = GoodProbes(task);
    const auto probes = ParseProbes(content.dump(), manifest);
    REQUIRE(probes.status() == absl::OkStatus());
    CHECK(probes->at(1).logits.size() == 5 * manifest.output_width());
    CHECK(probes->at(1).logits.at(3) == 1.5f);
    content["probes"][1]["logits"].push_back(1);
    const size_t width = manifest.output_width(), numbers = 5 * width + 1;
    CHECK(ParseProbes(content.dump(), manifest).status() ==
          absl::InvalidArgumentError("$.probes[1]: has " + std::to_string(numbers) + " logits, expected 5 tokens * " +
                                     std::to_string(width)));
  }
}

TEST_CASE("AThousandProbesAreNotTooMany") {
  json content = GoodProbes();
  content["probes"] = json(1000, content["probes"][0]);
  CHECK(Parsed(content).size() == 1000);
}

TEST_CASE("ATokenizerThatAgreesPassesWithTheModelsLengthCutOnTheRight") {
  const std::vector<Probe> probes = Parsed(GoodProbes());
  TableTokenizer tokenizer;
  tokenizer.table = probes;
  CHECK(CheckTokenizer(tokenizer, ParsedManifest(), probes) == absl::OkStatus());
  CHECK(tokenizer.max_lengths == std::vector<size_t>{8, 8});
  CHECK(tokenizer.sides == std::vector(2, tokenizer::TruncationSide::kRight));
}

TEST_CASE("ATokenizerThatDiffersIsCaughtAtTheFirstProbeItMisses") {
  const std::vector<Probe> probes = Parsed(GoodProbes());
  const std::vector<std::function<void(Probe&)>> spoils = {[](Probe& p) { p.ids[2] += 1; },
                                                           [](Probe& p) { p.type_ids[4] = 0; },
                                                           [](Probe& p) {
                                                             p.ids.pop_back();
                                                             p.type_ids.pop_back();
                                                           },
                                                           [](Probe& p) { p.ids.push_back(0); }};
  for (size_t i = 0; i < spoils.size(); ++i) {
    CAPTURE(i);
    TableTokenizer tokenizer;
    tokenizer.table = probes;
    spoils[i](tokenizer.table[1]);
    const absl::Status status = CheckTokenizer(tokenizer, ParsedManifest(), probes);
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(status.message() == "probe 1: gives other ids than the exporter did");
  }
}

TEST_CASE("ATokenizerThatFailsIsBlamedWithItsOwnReason") {
  std::vector<Probe> probes = Parsed(GoodProbes());
  TableTokenizer tokenizer;
  tokenizer.table = probes;
  probes[1].text = "refused";
  const absl::Status status = CheckTokenizer(tokenizer, ParsedManifest(), probes);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(status.message() == "probe 1: text: no");
}

TEST_CASE("EveryProbeRunsAloneAndThenInBatches") {
  SumEncoder encoder;
  const auto report = CheckEncoder(encoder, ManyProbes(37), ParsedManifest(), {.absolute = 0});
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->count == 37);
  CHECK(report->max_abs_diff == 0);
  std::vector<size_t> expected(37, 1);
  expected.insert(expected.end(), {16, 16, 5});
  CHECK(encoder.batch_sizes == expected);
}

TEST_CASE("ARowForEachTokenIsComparedForEachToken") {
  SumEncoder encoder(true);
  const auto report = CheckEncoder(encoder, ManyTokenProbes(37),
                                   ParsedManifest(GoodManifest(Task::kTokenClassification)), {.absolute = 0});
  REQUIRE(report.status() == absl::OkStatus());
  CHECK(report->max_abs_diff == 0);
  std::vector<size_t> expected(37, 1);
  expected.insert(expected.end(), {16, 16, 5});
  CHECK(encoder.batch_sizes == expected);

  // The last token of the batch's second probe, of 2 tokens.
  SumEncoder differs(true);
  differs.spoil = [](batcher::EncoderOutput& output) {
    if (output.rows == 6) output.values[2 * 2 + 1] += 0.5f;
  };
  CHECK(CheckEncoder(differs, ManyTokenProbes(3), ParsedManifest(GoodManifest(Task::kTokenClassification)),
                     {.absolute = 0.25f})
            .status()
            .message() == "the logits of probes 0 to 2 differ from the exporter's by 0.5, more than 0.25");
  differs.spoil = [](batcher::EncoderOutput& output) {
    if (output.rows == 6) output.values[2 * 2 + 1] = std::nanf("");
  };
  CHECK(CheckEncoder(differs, ManyTokenProbes(3), ParsedManifest(GoodManifest(Task::kTokenClassification)),
                     {.absolute = 0.25f})
            .status()
            .message() == "probe 1: the logits are NaN");
  differs.spoil = [](batcher::EncoderOutput& output) { output.rows = 1; };
  CHECK(CheckEncoder(differs, ManyTokenProbes(3), ParsedManifest(GoodManifest(Task::kTokenClassification)),
                     {.absolute = 0.25f})
            .status()
            .message() == "probe 1: the engine returned [1, 2], expected [2, 2]");
}

TEST_CASE("TheReportHasTheLargestDifferenceOfEitherPass") {
  for (const bool in_batches : {false, true}) {
    SumEncoder encoder;
    encoder.spoil = [&](batcher::EncoderOutput& output) {
      if ((output.rows > 1) == in_batches) output.values.back() -= 0.25f;
    };
    const auto report = CheckEncoder(encoder, ManyProbes(3), ParsedManifest(), {.absolute = 0.25f});
    REQUIRE(report.status() == absl::OkStatus());
    CHECK(report->max_abs_diff == 0.25f);
  }
}

TEST_CASE("AnEncoderThatDiffersIsRefused") {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  using Output = batcher::EncoderOutput;
  struct Case {
    const char* what;
    std::function<void(Output&)> spoil;
    absl::StatusCode code;
    std::string message;
  };
  using enum absl::StatusCode;
  const std::vector<Case> cases = {
      {"too low", [](Output& o) { o.values[1] -= 0.5f; }, kFailedPrecondition,
       "the logits of probe 0 differ from the exporter's by 0.5, more than 0.25"},
      {"too high, only in a batch",
       [](Output& o) {
         if (o.rows == 3) o.values[4] += 0.5f;
       },
       kFailedPrecondition, "the logits of probes 0 to 2 differ from the exporter's by 0.5, more than 0.25"},
      {"infinite", [](Output& o) { o.values[0] = kInf; }, kFailedPrecondition,
       "the logits of probe 0 differ from the exporter's by inf, more than 0.25"},
      {"NaN", [](Output& o) { o.values[0] = std::nanf(""); }, kFailedPrecondition, "probe 0: the logits are NaN"},
      {"NaN in the last row of a batch",
       [](Output& o) {
         if (o.rows == 3) o.values[5] = std::nanf("");
       },
       kFailedPrecondition, "probe 2: the logits are NaN"},
      {"a row too few",
       [](Output& o) {
         if (o.rows == 3) o.rows = 2;
       },
       kInternal, "probes 0 to 2: the engine returned [2, 2], expected [3, 2]"},
      {"too narrow", [](Output& o) { o.width = 1; }, kInternal, "probe 0: the engine returned [1, 1], expected [1, 2]"},
      {"too wide",
       [](Output& o) {
         o.width = 3;
         o.values.resize(3 * o.rows);
       },
       kInternal, "probe 0: the engine returned [1, 3], expected [1, 2]"},
      {"no values", [](Output& o) { o.values.clear(); }, kInternal,
       "probe 0: the engine returned [1, 2], expected [1, 2]"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    SumEncoder encoder;
    encoder.spoil = c.spoil;
    const absl::Status status = CheckEncoder(encoder, ManyProbes(3), ParsedManifest(), {.absolute = 0.25f}).status();
    CHECK(status.code() == c.code);
    CHECK(status.message() == c.message);
  }
}

TEST_CASE("ProbesThatAreWrittenAreReadBackToTheLastBit") {
  const Manifest manifest = ParsedManifest();
  std::vector<Probe> probes = Parsed(GoodProbes());
  probes[0].logits = {0.1f, -1.17549435e-38f};
  probes[1].logits = {16777217.0f, 3.40282347e38f};
  probes[1].text = "quote \" and\nline, é";
  const std::string text = ProbesToJson(probes);
  CHECK_THAT(text, Catch::Contains("[0.1,-1.1754944e-38]"));
  const auto read = ParseProbes(text, manifest);
  REQUIRE(read.status() == absl::OkStatus());
  for (size_t i = 0; i < 2; ++i) {
    CHECK(read->at(i).text == probes[i].text);
    CHECK(read->at(i).text_pair == probes[i].text_pair);
    CHECK(read->at(i).ids == probes[i].ids);
    CHECK(read->at(i).type_ids == probes[i].type_ids);
    CHECK(read->at(i).logits == probes[i].logits);
  }
}

TEST_CASE("ProbesAreMadeOfTextsByTokenizerAndEncoder") {
  TableTokenizer tokenizer;
  tokenizer.table = Parsed(GoodProbes());
  auto probes = EncodeProbes(tokenizer, ParsedManifest(), {{"a b", std::nullopt}, {"a", "b"}});
  REQUIRE(probes.status() == absl::OkStatus());
  CHECK(tokenizer.max_lengths == std::vector<size_t>{8, 8});
  CHECK(probes->at(1).ids == std::vector<int32_t>{2, 5, 3, 6, 3});
  SumEncoder encoder;
  CHECK(AnswerProbes(encoder, *probes) == absl::OkStatus());
  CHECK(encoder.batch_sizes == std::vector<size_t>{1, 1});
  CHECK(probes->at(0).logits == std::vector<float>{16, 0});
  CHECK(probes->at(1).logits == std::vector<float>{19, 2});
  CHECK(CheckEncoder(encoder, *probes, ParsedManifest(), {.absolute = 0}).status() == absl::OkStatus());

  encoder.spoil = [](batcher::EncoderOutput& output) { output.values[1] = std::nanf(""); };
  CHECK(AnswerProbes(encoder, *probes).message() == "probe 0: the logits are not finite");
  encoder.run_status = absl::InternalError("no");
  CHECK(AnswerProbes(encoder, *probes).message() == "probe 0: no");
}

TEST_CASE("TextsThatMakeNoProbesAreNamed") {
  TableTokenizer tokenizer;
  tokenizer.table = Parsed(GoodProbes());
  auto refusal = [&](const Manifest& manifest, const std::vector<ProbeText>& texts) {
    return std::string(EncodeProbes(tokenizer, manifest, texts).status().message());
  };
  const ProbeText single = {"a b", std::nullopt}, pair = {"a", "b"};
  const Manifest manifest = ParsedManifest();
  CHECK(refusal(manifest, {}) == "expected 1 to 1000 texts, got 0");
  CHECK(refusal(manifest, std::vector<ProbeText>(1001, single)) == "expected 1 to 1000 texts, got 1001");
  CHECK(refusal(manifest, {single, {"refused", std::nullopt}}) == "text 2: text: no");
  CHECK(refusal(ParsedManifest(GoodManifest(Task::kTokenClassification)), {single, pair}) ==
        "text 2: is a pair, which the model does not take");
  CHECK(refusal(ParsedManifest(GoodManifest(Task::kQuestionAnswering)), {pair, single}) ==
        "text 2: is no pair of question and context");
}

TEST_CASE("AnEncoderThatFailsIsBlamedWithItsOwnReason") {
  SumEncoder encoder;
  encoder.run_status = absl::InternalError("out of order");
  CHECK(CheckEncoder(encoder, ManyProbes(2), ParsedManifest(), {.absolute = 1}).status() ==
        absl::InternalError("probe 0: out of order"));
  SumEncoder stage;
  stage.stage_status = absl::ResourceExhaustedError("no room");
  CHECK(CheckEncoder(stage, ManyProbes(2), ParsedManifest(), {.absolute = 1}).status() ==
        absl::ResourceExhaustedError("probe 0: no room"));
  CHECK(stage.batch_sizes.empty());
}

}  // namespace
}  // namespace bertha::models
