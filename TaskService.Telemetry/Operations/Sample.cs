using TaskService.Telemetry.Propagation;
namespace TaskService.Telemetry.Operations;

/// <summary>
/// How many of the operations of a type leave an event record. Others run as ever, and so do all that they enclose, but
/// without records; metrics and traces do not heed it.
/// </summary>
/// <param name="Of">
/// Whose coin decides: <c>.</c> or the type's own name, one for each; <c>..</c>, one for all of this type in a parent;
/// <c>^</c>, one for all in the outermost operation; else one for all in the open operation of this type. Where there
/// is no such operation, one for each.
/// </param>
/// <param name="Rate">0 for none to 1 for all.</param>
public readonly record struct Sample(string Of, double Rate)
{
    /// <summary>Decides for an operation that is about to start.</summary>
    /// <param name="type">Its own.</param>
    /// <param name="parent">The one whose child it is; null when it is nobody's.</param>
    /// <param name="enclosing">The one that is current.</param>
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
