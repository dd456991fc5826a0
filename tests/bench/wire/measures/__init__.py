"""All measures, in the order in which they are run."""

from .connections import Connections
from .established import Established
from .first_packet import FirstPacket
from .growth import Growth
from .memory import Memory
from .new_flows import NewFlows

MEASURES = {measure.name: measure for measure in
            (NewFlows, Connections, Established, FirstPacket, Memory, Growth)}
