"""The numbers of FIX 4.4 that this door speaks: tags, message types and codes.

Holds: the standard's values under the standard's names, and the tags 20001 to 20013 for what the
standard has no field for (docs/protocol.md, 2).
"""

from typing import Final

ACCOUNT: Final = 1
AVG_PX: Final = 6
BEGIN_SEQ_NO: Final = 7
BEGIN_STRING: Final = 8
BODY_LENGTH: Final = 9
CHECK_SUM: Final = 10
CL_ORD_ID: Final = 11
COMMISSION: Final = 12
COMM_TYPE: Final = 13
CUM_QTY: Final = 14
END_SEQ_NO: Final = 16
EXEC_ID: Final = 17
EXEC_INST: Final = 18
LAST_PX: Final = 31
LAST_QTY: Final = 32
MSG_SEQ_NUM: Final = 34
MSG_TYPE: Final = 35
NEW_SEQ_NO: Final = 36
ORDER_ID: Final = 37
ORDER_QTY: Final = 38
ORD_STATUS: Final = 39
ORD_TYPE: Final = 40
ORIG_CL_ORD_ID: Final = 41
POSS_DUP_FLAG: Final = 43
PRICE: Final = 44
REF_SEQ_NUM: Final = 45
SENDER_COMP_ID: Final = 49
SENDING_TIME: Final = 52
SIDE: Final = 54
SYMBOL: Final = 55
TARGET_COMP_ID: Final = 56
TEXT: Final = 58
TIME_IN_FORCE: Final = 59
TRANSACT_TIME: Final = 60
POSS_RESEND: Final = 97
ENCRYPT_METHOD: Final = 98
CXL_REJ_REASON: Final = 102
ORD_REJ_REASON: Final = 103
HEART_BT_INT: Final = 108
TEST_REQ_ID: Final = 112
ON_BEHALF_OF_COMP_ID: Final = 115
ON_BEHALF_OF_SUB_ID: Final = 116
ORIG_SENDING_TIME: Final = 122
GAP_FILL_FLAG: Final = 123
DELIVER_TO_COMP_ID: Final = 128
DELIVER_TO_SUB_ID: Final = 129
RESET_SEQ_NUM_FLAG: Final = 141
ON_BEHALF_OF_LOCATION_ID: Final = 144
DELIVER_TO_LOCATION_ID: Final = 145
EXEC_TYPE: Final = 150
LEAVES_QTY: Final = 151
REF_TAG_ID: Final = 371
REF_MSG_TYPE: Final = 372
SESSION_REJECT_REASON: Final = 373
EXEC_RESTATEMENT_REASON: Final = 378
BUSINESS_REJECT_REF_ID: Final = 379
BUSINESS_REJECT_REASON: Final = 380
CXL_REJ_RESPONSE_TO: Final = 434
MULTI_LEG_REPORTING_TYPE: Final = 442
USERNAME: Final = 553
PASSWORD: Final = 554
LAST_LIQUIDITY_IND: Final = 851

# What EIP-712 orders have and FIX has not.
COUNTER: Final = 20001
MAX_FEE_MICRO: Final = 20002
EXPIRY_SECONDS: Final = 20003
SALT: Final = 20004
SIGNATURE: Final = 20005
REPLACES: Final = 20006
REJECT_CODE: Final = 20010
ACK_SIGNATURE: Final = 20011
ACK_SEQUENCE: Final = 20012
ACK_JOURNAL_HASH: Final = 20013

HEARTBEAT: Final = "0"
TEST_REQUEST: Final = "1"
RESEND_REQUEST: Final = "2"
REJECT: Final = "3"
SEQUENCE_RESET: Final = "4"
LOGOUT: Final = "5"
EXECUTION_REPORT: Final = "8"
ORDER_CANCEL_REJECT: Final = "9"
LOGON: Final = "A"
NEW_ORDER_SINGLE: Final = "D"
ORDER_CANCEL_REQUEST: Final = "F"
ORDER_CANCEL_REPLACE_REQUEST: Final = "G"
BUSINESS_MESSAGE_REJECT: Final = "j"

ADMIN_TYPES: Final = frozenset("012345A")

SESSION_REJECT_TEXTS: Final[dict[int, str]] = {
    0: "Invalid tag number",
    1: "Required tag missing",
    2: "Tag not defined for this message type",
    4: "Tag specified without a value",
    5: "Value is incorrect (out of range) for this tag",
    6: "Incorrect data format for value",
    9: "CompID problem",
    10: "SendingTime accuracy problem",
    11: "Invalid MsgType",
    13: "Tag appears more than once",
    14: "Tag specified out of required order",
    16: "Incorrect NumInGroup count for repeating group",
    99: "Other",
}
INVALID_TAG: Final = 0
REQUIRED_TAG_MISSING: Final = 1
TAG_NOT_FOR_TYPE: Final = 2
TAG_WITHOUT_VALUE: Final = 4
VALUE_INCORRECT: Final = 5
INCORRECT_FORMAT: Final = 6
COMP_ID_PROBLEM: Final = 9
SENDING_TIME_PROBLEM: Final = 10
INVALID_MSG_TYPE: Final = 11
TAG_TWICE: Final = 13
TAG_OUT_OF_ORDER: Final = 14
GROUP_COUNT_WRONG: Final = 16
OTHER_REASON: Final = 99

BUSINESS_OTHER: Final = 0
BUSINESS_UNSUPPORTED_TYPE: Final = 3
BUSINESS_NOT_AVAILABLE: Final = 4
BUSINESS_FIELD_MISSING: Final = 5
