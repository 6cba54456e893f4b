package embedded

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

var errNoQueue error = &types.QueueDoesNotExist{Message: aws.String("The specified queue does not exist.")}

// operation wraps *err with the name of the call, as the SDK's client does.
func operation(service, name string, err *error) {
	if *err != nil {
		*err = &smithy.OperationError{ServiceID: service, OperationName: name, Err: *err}
	}
}

// badRequest returns an error for which SQS and SSM have a code but the SDK has no type.
func badRequest(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultClient}
}

func invalidParameter(message string) error { return badRequest("InvalidParameterValue", message) }

// doing adds what was being done to *err.
func doing(what string, err *error) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", what, *err)
	}
}
