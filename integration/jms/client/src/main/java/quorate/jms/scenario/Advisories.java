package quorate.jms.scenario;

import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.Destination;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.advisory.AdvisorySupport;
import org.apache.activemq.command.ActiveMQMessage;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;
import org.apache.activemq.command.ConnectionInfo;
import org.apache.activemq.command.ConsumerInfo;
import org.apache.activemq.command.DataStructure;
import org.apache.activemq.command.DestinationInfo;
import org.apache.activemq.command.ProducerInfo;
import org.apache.activemq.command.RemoveInfo;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** What the broker tells about itself on {@code ActiveMQ.Advisory.>}. */
public final class Advisories {
    private Advisories() {}

    public static void consumersComeAndGo(Client client) throws Exception {
        Destination queue = client.queue("queue");
        Session session = client.session();
        MessageConsumer advisories = session.createConsumer(AdvisorySupport.getConsumerAdvisoryTopic(queue));
        MessageConsumer consumer = client.session().createConsumer(queue, "colour = 'red'");
        Message came = Messages.receive(advisories);
        ConsumerInfo info = told(came, ConsumerInfo.class);
        Expect.equal(queue, info.getDestination(), "the destination");
        Expect.equal("colour = 'red'", info.getSelector(), "the selector");
        Expect.equal(1, came.getIntProperty("consumerCount"), "the consumers");
        Expect.equal("Advisory", came.getJMSType(), "the type");
        Expect.equal(DeliveryMode.NON_PERSISTENT, came.getJMSDeliveryMode(), "the delivery mode");
        for (String property : new String[] {"originBrokerId", "originBrokerName", "originBrokerURL"}) {
            Expect.that(came.getStringProperty(property) != null, "the advisory has " + property);
        }
        consumer.close();
        Message went = Messages.receive(advisories);
        Expect.equal(info.getConsumerId(), told(went, RemoveInfo.class).getObjectId(), "who went");
        Expect.equal(0, went.getIntProperty("consumerCount"), "the consumers");
    }

    /** Who comes late is told of the consumers that there are. */
    public static void consumersThatAreThere(Client client) throws Exception {
        Destination topic = client.topic("topic");
        client.session().createConsumer(topic);
        Message there = Messages.receive(client.session().createConsumer(AdvisorySupport.getConsumerAdvisoryTopic(topic)));
        Expect.equal(topic, told(there, ConsumerInfo.class).getDestination(), "the destination");
    }

    public static void producersComeAndGo(Client client) throws Exception {
        Destination topic = client.topic("topic");
        MessageConsumer advisories = client.session().createConsumer(AdvisorySupport.getProducerAdvisoryTopic(topic));
        MessageProducer producer = client.session().createProducer(topic);
        Message came = Messages.receive(advisories);
        ProducerInfo info = told(came, ProducerInfo.class);
        Expect.equal(topic, info.getDestination(), "the destination");
        Expect.equal(1, came.getIntProperty("producerCount"), "the producers");
        producer.close();
        Message went = Messages.receive(advisories);
        Expect.equal(info.getProducerId(), told(went, RemoveInfo.class).getObjectId(), "who went");
    }

    public static void connectionsComeAndGo(Client client) throws Exception {
        MessageConsumer advisories = client.session().createConsumer(AdvisorySupport.getConnectionAdvisoryTopic());
        Connection connection = client.connectAs(client.name("id"));
        ConnectionInfo came;
        do {
            came = next(advisories, ConnectionInfo.class);
        } while (!client.name("id").equals(came.getClientId()));
        Expect.that(came.getPassword() == null || came.getPassword().isEmpty(), "the password stays secret");
        connection.close();
        RemoveInfo went;
        do {
            went = next(advisories, RemoveInfo.class);
        } while (!came.getConnectionId().equals(went.getObjectId()));
    }

    public static void destinationsAreMade(Client client) throws Exception {
        MessageConsumer queues = client.session().createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.Queue"));
        MessageConsumer topics = client.session().createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.Topic"));
        Session session = client.session();
        Messages.send(session, client.queue("queue"), "first");
        Messages.send(session, client.topic("topic"), "first");
        awaitDestination(queues, client.queue("queue"), DestinationInfo.ADD_OPERATION_TYPE);
        awaitDestination(topics, client.topic("topic"), DestinationInfo.ADD_OPERATION_TYPE);
    }

    public static void temporaryDestinationsComeAndGo(Client client) throws Exception {
        MessageConsumer advisories = client.session().createConsumer(new ActiveMQTopic("ActiveMQ.Advisory.TempQueue"));
        Connection owner = client.connect();
        Destination queue = owner.createSession(false, Session.AUTO_ACKNOWLEDGE).createTemporaryQueue();
        awaitDestination(advisories, queue, DestinationInfo.ADD_OPERATION_TYPE);
        owner.close();
        awaitDestination(advisories, queue, DestinationInfo.REMOVE_OPERATION_TYPE);
    }

    public static void messagesExpire(Client client) throws Exception {
        Session session = client.session();
        ActiveMQQueue queue = new ActiveMQQueue(client.name("queue"));
        MessageConsumer expired = session.createConsumer(AdvisorySupport.getExpiredMessageTopic((Destination) queue));
        MessageProducer producer = session.createProducer(queue);
        producer.setTimeToLive(50);
        Message late = session.createTextMessage("too late");
        producer.send(late);
        Message advisory = Messages.receive(expired);
        // The name is misspelt, and read by that name.
        Expect.equal(late.getJMSMessageID(), advisory.getStringProperty("orignalMessageId"), "the message");
    }

    public static void destinationSource(Client client) throws Exception {
        Session session = client.session();
        Messages.send(session, client.queue("queue"), "first");
        ActiveMQConnection connection = (ActiveMQConnection) client.connect();
        long end = System.currentTimeMillis() + Messages.PATIENCE;
        while (!connection.getDestinationSource().getQueues().contains(client.queue("queue"))) {
            Expect.that(System.currentTimeMillis() < end, "the queue is among those that there are");
            Thread.sleep(10);
        }
    }

    private static void awaitDestination(MessageConsumer advisories, Destination destination, byte operation) throws Exception {
        DestinationInfo info;
        do {
            info = next(advisories, DestinationInfo.class);
        } while (!destination.equals(info.getDestination()) || info.getOperationType() != operation);
    }

    /** The next of these; others do the same at the same time. */
    private static <T extends DataStructure> T next(MessageConsumer advisories, Class<T> of) throws Exception {
        while (true) {
            DataStructure told = ((ActiveMQMessage) Messages.receive(advisories)).getDataStructure();
            if (of.isInstance(told)) {
                return of.cast(told);
            }
        }
    }

    private static <T extends DataStructure> T told(Message advisory, Class<T> of) {
        DataStructure told = ((ActiveMQMessage) advisory).getDataStructure();
        Expect.that(of.isInstance(told), "the advisory tells a " + of.getSimpleName() + ", and not: " + told);
        return of.cast(told);
    }
}
