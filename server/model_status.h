// A line of the model table as a message of the wire.
#ifndef BERTHA_SERVER_MODEL_STATUS_H_
#define BERTHA_SERVER_MODEL_STATUS_H_

#include "bertha/v1/bertha.pb.h"
#include "server/model_table.h"

namespace bertha::server {

v1::ModelStatus ToWire(const ModelEntry& entry);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_STATUS_H_
