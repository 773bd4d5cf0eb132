"""The article's script in the words of today's stomp.py, over STOMP 1.1 and 1.2 with receipts and heart-beats."""
import queue
import sys

import stomp

HOSTS = [('192.168.0.231', 61613)]


class Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.messages = queue.Queue()
        self.receipts = queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers['receipt-id'])

    def on_error(self, frame):
        print('ERROR', frame, file=sys.stderr)


def talk(kind):
    connection = kind(HOSTS, heartbeats=(2000, 2000))
    inbox = Inbox()
    connection.set_listener('inbox', inbox)
    connection.connect(wait=True)
    destination = '/queue/Sample.%s' % kind.__name__
    connection.send(destination, 'len 123', persistent='true', receipt='sent')
    assert inbox.receipts.get(timeout=10) == 'sent'
    connection.subscribe(destination, id='1', ack='client-individual')
    frame = inbox.messages.get(timeout=10)
    assert frame.body == 'len 123', frame
    if kind is stomp.Connection11:
        connection.ack(frame.headers['message-id'], '1', receipt='acked')
    else:
        connection.ack(frame.headers['ack'], receipt='acked')
    assert inbox.receipts.get(timeout=10) == 'acked'
    connection.begin(transaction='t')
    connection.send(destination, 'never', transaction='t')
    connection.abort('t')
    connection.subscribe('/topic/Sample', id='2', ack='auto', receipt='subscribed')
    assert inbox.receipts.get(timeout=10) == 'subscribed'
    connection.send('/topic/Sample', 'to all')
    assert inbox.messages.get(timeout=10).body == 'to all'
    # As programs write that were made for ActiveMQ: bare names, URIs, all headers of a message in its ACK.
    bare = 'bare.%s' % kind.__name__
    connection.send('%s,topic://elsewhere' % bare, 'to a queue', persistent=True, receipt='composite')
    assert inbox.receipts.get(timeout=10) == 'composite'
    connection.subscribe('queue://%s' % bare, id='3', ack='client')
    frame = inbox.messages.get(timeout=10)
    assert frame.headers['destination'] == '/queue/%s' % bare, frame
    assert frame.headers['original-destination'] == '/queue/%s,/topic/elsewhere' % bare, frame
    assert frame.headers['persistent'] == 'true', frame
    ack = dict(frame.headers, id=frame.headers.get('ack', ''), receipt='copied')
    ack['content-length'] = '10'
    connection.send_frame('ACK', ack)
    assert inbox.receipts.get(timeout=10) == 'copied'
    connection.disconnect(receipt='bye')
    assert inbox.messages.empty()


talk(stomp.Connection11)
talk(stomp.Connection12)
print('all said')
