#include "bench/encoder/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/encoder/shapes.h"

namespace bertha::bench {
namespace {

absl::Status ReadIds(const Json& object, const char* key, std::vector<int32_t>& ids) {
  const auto refused = [&] {
    return absl::InvalidArgumentError(absl::StrCat(key, " must be a list of whole numbers from 0 to 2147483647"));
  };
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return refused();
  for (const Json& value : *found) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > std::numeric_limits<int32_t>::max()) return refused();
    ids.push_back(static_cast<int32_t>(value.get<uint64_t>()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> RowJson(std::span<const float> row) {
  if (!std::ranges::all_of(row, [](float value) { return std::isfinite(value); })) {
    return absl::DataLossError("a logit is not finite");
  }
  return Json(std::vector<float>(row.begin(), row.end()));
}

/// A line of the file, and what it asks for.
struct Line {
  size_t number = 0;
  absl::StatusOr<Sequence> sequence;
};

using Answer = absl::StatusOr<Json>;

Answer AnswerAlone(const Engine& engine, const Sequence& sequence) {
  absl::StatusOr<std::vector<Json>> logits = Logits(engine, {sequence});
  if (!logits.ok()) return logits.status();
  return std::move(logits->front());
}

/// One for each line.
std::vector<Answer> AnswerBatch(const Engine& engine, const std::vector<Line>& lines) {
  std::vector<Sequence> good;
  for (const Line& line : lines) {
    if (line.sequence.ok()) good.push_back(*line.sequence);
  }
  const absl::StatusOr<std::vector<Json>> together =
      good.size() > 1 ? Logits(engine, good) : absl::UnavailableError("nothing to run together");
  std::vector<Answer> answers;
  size_t next = 0;
  for (const Line& line : lines) {
    if (!line.sequence.ok()) {
      answers.emplace_back(line.sequence.status());
    } else if (together.ok()) {
      answers.emplace_back((*together)[next++]);
    } else {
      answers.push_back(AnswerAlone(engine, *line.sequence));
    }
  }
  return answers;
}

std::string TextOf(const Json& logits) {
  const auto row = [](const Json& values) {
    return absl::StrJoin(values, " ", [](std::string* out, const Json& value) {
      absl::StrAppendFormat(out, "%9.6f", value.get<float>());
    });
  };
  if (logits.empty() || !logits.front().is_array()) return row(logits);
  return absl::StrJoin(logits, "\n  ",
                       [&](std::string* out, const Json& values) { absl::StrAppend(out, row(values)); });
}

std::string AnswerLine(size_t line, const Engine& engine, const Answer& answer, bool json) {
  if (!json) {
    return absl::StrCat("line ", line, " ", NameOf(engine.choice), ": ",
                        answer.ok() ? TextOf(*answer) : absl::StrCat("error: ", answer.status().message()), "\n");
  }
  Json object = {{"line", line}, {"engine", NameOf(engine.choice)}};
  if (answer.ok()) {
    object["logits"] = *answer;
  } else {
    object["error"] = std::string(answer.status().message());
  }
  return JsonLine(object);
}

}  // namespace

absl::StatusOr<Sequence> ParseSequence(absl::string_view line) {
  const Json object = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("not a JSON object such as {\"ids\": [101, 102]}");
  Sequence sequence;
  if (absl::Status status = ReadIds(object, "ids", sequence.ids); !status.ok()) return status;
  if (sequence.ids.empty()) return absl::InvalidArgumentError("ids is empty");
  if (!object.contains("type_ids")) {
    sequence.type_ids.assign(sequence.ids.size(), 0);
  } else if (absl::Status status = ReadIds(object, "type_ids", sequence.type_ids); !status.ok()) {
    return status;
  }
  if (sequence.type_ids.size() != sequence.ids.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(sequence.ids.size(), " ids, but ", sequence.type_ids.size(), " type_ids"));
  }
  return sequence;
}

absl::StatusOr<std::vector<Json>> Logits(const Engine& engine, const std::vector<Sequence>& sequences) {
  const batcher::EncoderDescription& description = engine.encoder->Describe();
  Batch batch;
  for (const Sequence& sequence : sequences) {
    if (sequence.ids.size() > description.max_sequence_length) {
      return absl::InvalidArgumentError(
          absl::StrCat(sequence.ids.size(), " tokens, the model takes at most ", description.max_sequence_length));
    }
    batch.Append(sequence.ids, sequence.type_ids);
  }
  batcher::EncoderOutput output;
  if (absl::Status status = engine.encoder->Stage(batch.view(), 0); !status.ok()) return status;
  if (absl::Status status = engine.encoder->Run(0, output); !status.ok()) return status;
  std::vector<Json> logits;
  size_t next = 0;
  for (const Sequence& sequence : sequences) {
    Json rows = Json::array();
    for (size_t i = 0; i < (description.row_per_token ? sequence.ids.size() : 1); ++i) {
      absl::StatusOr<Json> row = RowJson(output.row(next++));
      if (!row.ok()) return row.status();
      rows.push_back(*std::move(row));
    }
    logits.push_back(description.row_per_token ? std::move(rows) : std::move(rows[0]));
  }
  return logits;
}

void AnswerLines(const std::vector<Engine>& engines, std::istream& in, size_t batch, bool json,
                 const std::function<void(const std::string&)>& write) {
  std::vector<Line> lines;
  const auto answer = [&] {
    std::vector<std::vector<Answer>> answers;
    for (const Engine& engine : engines) answers.push_back(AnswerBatch(engine, lines));
    for (size_t i = 0; i < lines.size(); ++i) {
      for (size_t e = 0; e < engines.size(); ++e) write(AnswerLine(lines[i].number, engines[e], answers[e][i], json));
    }
    lines.clear();
  };
  size_t number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    if (absl::StripAsciiWhitespace(text).empty()) continue;
    lines.push_back({number, ParseSequence(text)});
    if (lines.size() == batch) answer();
  }
  answer();
}

}  // namespace bertha::bench
