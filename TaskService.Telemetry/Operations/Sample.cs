using TaskService.Telemetry.Propagation;
namespace TaskService.Telemetry.Operations;

/// <summary>
/// The sampling rule for event records of a type. An operation that is not sampled leaves no record, and neither do its
/// children; metrics and traces are not affected.
/// </summary>
/// <param name="Of">
/// Which operation's sampling decision applies: <c>.</c> or the type's own name, one for each operation; <c>..</c>, one
/// for all of this type in a parent; <c>^</c>, one for all in the outermost operation; else one for all in the open
/// operation of this type. Without such an operation, one for each.
/// </param>
/// <param name="Rate">0 for none to 1 for all.</param>
public readonly record struct Sample(string Of, double Rate)
{
    /// <summary>Makes the sampling decision for an operation that is about to start.</summary>
    /// <param name="type">Of the operation.</param>
    /// <param name="parent">Its parent; null when it has none.</param>
    /// <param name="enclosing">The current operation.</param>
    internal bool Decide(string type, Operation? parent, Operation? enclosing)
    {
        var decider = Of switch
        {
            "." => null,
            ".." => parent,
            "^" => OperationName.Outermost(enclosing),
            _ when OperationName.Ends(type, Of) => null,
            _ => OperationName.Open(Of, enclosing),
        };
        return (decider?.DecisionFor(Of == ".." ? type : "") ?? TraceContext.NextRandom()) < Rate;
    }
}
