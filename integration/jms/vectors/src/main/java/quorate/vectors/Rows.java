package quorate.vectors;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.activemq.command.*;

/** The structures, and which of their properties go over the wire. A spelling that changed between versions of the library stands behind a bar. */
final class Rows {
    static final Map<Class<? extends DataStructure>, List<String>> ALL = new LinkedHashMap<>();

    private static final String COMMAND = "commandId responseRequired ";
    private static final String MESSAGE = COMMAND
            + "producerId destination transactionId originalDestination messageId originalTransactionId groupID groupSequence correlationId"
            + " persistent expiration priority replyTo timestamp type content marshalledProperties dataStructure targetConsumerId compressed"
            + " redeliveryCounter brokerPath arrival userID recievedByDFBridge droppable cluster brokerInTime brokerOutTime"
            + " JMSXGroupFirstForConsumer ";

    private Rows() {}

    static {
        command(BrokerInfo.class, "brokerId brokerURL peerBrokerInfos brokerName slaveBroker masterBroker faultTolerantConfiguration"
                + " duplexConnection networkConnection connectionId brokerUploadUrl networkProperties");
        command(ConnectionInfo.class, "connectionId clientId password userName brokerPath brokerMasterConnector manageable clientMaster"
                + " faultTolerant failoverReconnect clientIp");
        command(SessionInfo.class, "sessionId");
        command(ConsumerInfo.class, "consumerId browser destination prefetchSize maximumPendingMessageLimit dispatchAsync selector clientId"
                + " subscriptionName noLocal exclusive retroactive priority brokerPath additionalPredicate networkSubscription"
                + " optimizedAcknowledge noRangeAcks networkConsumerPath");
        command(ProducerInfo.class, "producerId destination brokerPath dispatchAsync windowSize");
        command(TransactionInfo.class, "connectionId transactionId type");
        command(DestinationInfo.class, "connectionId destination operationType timeout brokerPath");
        command(RemoveSubscriptionInfo.class, "connectionId subcriptionName|subscriptionName clientId");
        command(KeepAliveInfo.class, "");
        command(ShutdownInfo.class, "");
        command(RemoveInfo.class, "objectId lastDeliveredSequenceId");
        command(ControlCommand.class, "command");
        command(FlushCommand.class, "");
        command(ConnectionError.class, "exception connectionId");
        command(ConsumerControl.class, "destination close consumerId prefetch flush start stop");
        command(ConnectionControl.class, "close exit faultTolerant resume suspend connectedBrokers reconnectTo rebalanceConnection token");
        command(ProducerAck.class, "producerId size");
        command(MessagePull.class, "consumerId destination timeout correlationId messageId");
        command(MessageDispatch.class, "consumerId destination message redeliveryCounter");
        command(MessageAck.class, "destination transactionId consumerId ackType firstMessageId lastMessageId messageCount poisonCause");
        command(MessageDispatchNotification.class, "consumerId destination deliverySequenceId messageId");
        command(Response.class, "correlationId");
        command(ExceptionResponse.class, "correlationId exception");
        command(DataResponse.class, "correlationId data");
        command(DataArrayResponse.class, "correlationId data");
        command(IntegerResponse.class, "correlationId result");
        command(BrokerSubscriptionInfo.class, "brokerId brokerName subscriptionInfos");
        row(ActiveMQMessage.class, MESSAGE);
        row(ActiveMQBytesMessage.class, MESSAGE);
        row(ActiveMQMapMessage.class, MESSAGE);
        row(ActiveMQObjectMessage.class, MESSAGE);
        row(ActiveMQStreamMessage.class, MESSAGE);
        row(ActiveMQTextMessage.class, MESSAGE);
        row(ActiveMQBlobMessage.class, MESSAGE + "remoteBlobUrl mimeType deletedByBroker");
        row(DiscoveryEvent.class, "serviceName brokerName");
        row(SubscriptionInfo.class, "clientId destination selector subcriptionName|subscriptionName subscribedDestination noLocal");
        row(NetworkBridgeFilter.class, "networkTTL networkBrokerId messageTTL consumerTTL");
        row(ActiveMQQueue.class, "physicalName");
        row(ActiveMQTopic.class, "physicalName");
        row(ActiveMQTempQueue.class, "physicalName");
        row(ActiveMQTempTopic.class, "physicalName");
        row(MessageId.class, "textView producerId producerSequenceId brokerSequenceId");
        row(LocalTransactionId.class, "value connectionId");
        row(XATransactionId.class, "formatId globalTransactionId branchQualifier");
        row(ConnectionId.class, "value");
        row(SessionId.class, "connectionId value");
        row(ConsumerId.class, "connectionId sessionId value");
        row(ProducerId.class, "connectionId value sessionId");
        row(BrokerId.class, "value");
    }

    private static void command(Class<? extends DataStructure> type, String properties) {
        row(type, COMMAND + properties);
    }

    private static void row(Class<? extends DataStructure> type, String properties) {
        ALL.put(type, List.of(properties.trim().split(" ")));
    }
}
