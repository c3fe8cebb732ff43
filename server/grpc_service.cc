#include "server/grpc_service.h"

#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/grpc_bytes.h"
#include "server/grpc_status.h"
#include "server/trace.h"
#include "server/wire_text.h"

namespace bertha::server {
namespace {

using batcher::TimePoint;
using google::protobuf::Message;

/// gRPC's deadline (wall clock) on the monotonic clock; max() if there is none.
TimePoint DeadlineOf(const grpc::CallbackServerContext& context, const batcher::Clock& clock) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return TimePoint::max();
  const auto left = deadline - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24 * 365)) return TimePoint::max();
  return clock.Now() + std::chrono::duration_cast<batcher::Duration>(left);
}

absl::string_view MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  const auto it = context.client_metadata().find(key);
  return it == context.client_metadata().end() ? absl::string_view()
                                               : absl::string_view(it->second.data(), it->second.size());
}

/// "ipv4:10.0.0.7:5000" and "ipv6:%5B::1%5D:5000" without scheme, brackets and port.
std::string AddressOf(const std::string& peer) {
  absl::string_view address = peer;
  address.remove_prefix(std::min(address.size(), address.find(':') + 1));
  address = address.substr(0, address.rfind(':'));
  if (address.substr(0, 3) == "%5B") address.remove_prefix(3);
  if (address.size() > 3 && address.substr(address.size() - 3) == "%5D") address.remove_suffix(3);
  return std::string(address);
}

/// Deletes itself when gRPC is done with it.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  UnaryReactor(const Method& method, CallCounters& counters, const GrpcEdge& edge, grpc::CallbackServerContext& context,
               grpc::ByteBuffer& reply)
      : method_(method),
        counters_(counters),
        edge_(edge),
        began_(edge.clock.Now()),
        context_(context),
        reply_(reply),
        request_(method.request->New()),
        response_(method.response->New()) {}

  void Start(const grpc::ByteBuffer& bytes) {
    caller_ = TakeCaller(context_, edge_.clock);
    absl::Status status;
    ticket_ = edge_.gate.Enter(method_.scope, AuthorizationOf(context_), caller_, status);
    if (!status.ok()) return Reply(status);
    if (!Decode(bytes, *request_)) {
      return Reply(ExplainUndecodable(*request_->GetDescriptor(), Flatten(bytes)));
    }
    auto operation = method_.start(caller_, *request_, *response_, [this](const absl::Status& ended) { Reply(ended); });
    if (!operation) return;
    bool cancelled;
    {
      MutexLock lock(mutex_);
      operation_ = operation;
      cancelled = cancelled_;
    }
    if (cancelled) operation->Cancel();
  }

  void OnCancel() override {
    std::shared_ptr<Operation> operation;
    {
      MutexLock lock(mutex_);
      cancelled_ = true;
      operation = operation_;
    }
    if (operation) operation->Cancel();
  }

  void OnDone() override { delete this; }

 private:
  void Reply(const absl::Status& status) {
    if (status.ok()) Encode(*response_, reply_);
    AddPushback(context_, edge_.retry_after_ms(status));
    edge_.observer.OnEnd(counters_, caller_, status, edge_.clock.Now() - began_);
    Finish(ToGrpc(status));
  }

  const Method& method_;
  CallCounters& counters_;
  const GrpcEdge& edge_;
  const TimePoint began_;
  Caller caller_;
  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer& reply_;
  Gate::Ticket ticket_;
  const std::unique_ptr<Message> request_;
  const std::unique_ptr<Message> response_;
  Mutex mutex_;
  std::shared_ptr<Operation> operation_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

void AddPushback(grpc::CallbackServerContext& context, uint32_t ms) {
  if (ms > 0) context.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(ms));
}

absl::string_view AuthorizationOf(const grpc::CallbackServerContext& context) {
  return MetadataOf(context, "authorization");
}

Caller TakeCaller(grpc::CallbackServerContext& context, const batcher::Clock& clock) {
  const absl::string_view traceparent = MetadataOf(context, kTraceparentHeader);
  Caller caller = {.deadline = DeadlineOf(context, clock),
                   .address = AddressOf(context.peer()),
                   .request_id = RequestIdFor(MetadataOf(context, kRequestIdHeader), traceparent),
                   .traceparent = IsTraceparent(traceparent) ? std::string(traceparent) : std::string()};
  context.AddTrailingMetadata(kRequestIdHeader, caller.request_id);
  if (!caller.traceparent.empty()) context.AddTrailingMetadata(kTraceparentHeader, caller.traceparent);
  return caller;
}

GrpcService::GrpcService(std::vector<Method> methods, const GrpcEdge& edge) : methods_(std::move(methods)) {
  using Handler = grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer, grpc::ByteBuffer>;
  for (const Method& method : methods_) {
    CallCounters& counters = edge.observer.Register("grpc", method.name());
    MarkMethodRawCallback(
        Add(*method.descriptor, grpc::internal::RpcMethod::NORMAL_RPC),
        new Handler([&method, &counters, &edge](grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                                grpc::ByteBuffer* response) {
          auto* reactor = new UnaryReactor(method, counters, edge, *context, *response);
          reactor->Start(*request);
          return reactor;
        }));
  }
}

int GrpcService::Add(const google::protobuf::MethodDescriptor& descriptor, grpc::internal::RpcMethod::RpcType type) {
  paths_.push_back(absl::StrCat("/", descriptor.service()->full_name(), "/", descriptor.name()));
  AddMethod(new grpc::internal::RpcServiceMethod(paths_.back().c_str(), type, nullptr));
  return static_cast<int>(paths_.size()) - 1;
}

void GrpcService::AddStream(const google::protobuf::MethodDescriptor& descriptor, StartStream start) {
  using Handler = grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>;
  MarkMethodRawCallback(
      Add(descriptor, grpc::internal::RpcMethod::BIDI_STREAMING),
      new Handler([start = std::move(start)](grpc::CallbackServerContext* context) { return start(*context); }));
}

}  // namespace bertha::server
